import type { TopKKernel } from "@finegrain/codegen";
import { Block } from "./block.ts";
import { joinParts } from "./join-parts.ts";
import { loopEnd, type Opening, type RenderedKernel, share } from "./kernel.ts";

/** Up to so many are found one after the other. */
const FEW = 64;

/** Indices of the k largest of a row, largest first, the lower index first of equals. */
export function renderTopK(kernel: TopKKernel, opening: Opening): RenderedKernel {
  return kernel.k <= FEW ? oneByOne(kernel, opening) : byRank(kernel, opening);
}

/** A workgroup takes a row and goes through it k times: each time for the largest that comes after the one before. */
function oneByOne({ from, rows, length, k, to }: TopKKernel, { name, bindings, target }: Opening): RenderedKernel {
  const { lanes } = target;
  const joined = new Block().add("let part = lane;");
  joinParts(joined, { parts: lanes, stride: 1 }, target, {
    keep: ["scratch[lane] = vec4u(bitcast<u32>(best), index, 0u, 0u);"],
    add: (other) => [
      `let them = scratch[${other}];`,
      "if (comes_before(bitcast<f32>(them.x), them.y, best, index)) { best = bitcast<f32>(them.x); index = them.y; }",
    ],
  });
  const text = `fn ${name}(first: u32, last: u32, lane: u32, zero: u32) {
  for (var row = first; row < last; row++) {
    var before = bitcast<f32>(infinity_bits);
    var before_index = 0xffffffffu;
    for (var place = 0u; place < ${loopEnd(k, target)}; place++) {
      var best = -bitcast<f32>(infinity_bits);
      var index = 0xffffffffu;
      for (var i = lane; i < ${loopEnd(length, target)}; i += ${lanes}u) {
        let x = ${bindings.load(from, `row * ${length}u + i`)};
        let open = before_index == 0xffffffffu || comes_before(before, before_index, x, i);
        if (open && comes_before(x, i, best, index)) { best = x; index = i; }
      }
      ${joined.lines.join("\n      ")}
      if (lane == 0u) {
        scratch[0] = vec4u(bitcast<u32>(best), index, 0u, 0u);
        ${bindings.store(to, `row * ${k}u + place`, "i32(index)")}
      }
      workgroupBarrier();
      before = bitcast<f32>(scratch[0].x);
      before_index = scratch[0].y;
    }
  }
}`;
  return { text, items: rows, each: 1, memory: { scratch: lanes } };
}

/** Every element counts those that come before it: its place, if that is one of the k. */
function byRank({ from, rows, length, k, to }: TopKKernel, { name, bindings, target }: Opening): RenderedKernel {
  const items = rows * length;
  const text = `fn ${name}(first: u32, last: u32, lane: u32, zero: u32) {
  for (var item = first + lane; item < last; item += ${target.lanes}u) {
    let row = item / ${length}u;
    let own = item % ${length}u;
    let x = ${bindings.load(from, "item")};
    var place = 0u;
    for (var i = 0u; i < ${loopEnd(length, target)}; i++) {
      if (comes_before(${bindings.load(from, `row * ${length}u + i`)}, i, x, own)) { place++; }
    }
    if (place < ${k}u) { ${bindings.store(to, `row * ${k}u + place`, "i32(own)")} }
  }
}`;
  return { text, items, each: share(items, target.lanes, target) };
}

/** The order: the larger one, of equals the one with the lower index. */
export const comesBefore = `fn comes_before(x: f32, i: u32, y: f32, j: u32) -> bool {
  return x > y || (x == y && i < j);
}`;
