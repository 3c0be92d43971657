import type { FromInt4Kernel, Int4InputsProductKernel, Int4ProductKernel, Int4Weights } from "@finegrain/codegen";
import { INT4_GROUP, INT8_LARGEST, INT8_LEAST_STEP } from "@finegrain/graph";
import type { Bindings } from "./bindings.ts";
import { Block } from "./block.ts";
import { joinParts } from "./join-parts.ts";
import { loopEnd, type Opening, type RenderedKernel, share } from "./kernel.ts";

/** Vectors of four in a group. */
const FOURS = INT4_GROUP / 4;
/** Lanes of a GPU that share a product, which read neighbouring groups. */
const MOST_PARTS = 16;

/** Text of what stands before the four words of a group: its scale and minimum. */
const openGroup = ({ scale, min }: Int4Weights, group: string, bindings: Bindings): string =>
  `let scale = ${bindings.load(scale, group)}; let least = ${bindings.load(min, group)};`;

/** Text of a word's weights: `low` of the four from 4 word on, `high` of those 16 further. */
const openWord = ({ words }: Int4Weights, at: string, bindings: Bindings): string =>
  `let bits = bitcast<u32>(${bindings.load(words, at)});
      let low = vec4f(unpack4xU8(bits & 0x0f0f0f0fu)); let high = vec4f(unpack4xU8((bits >> 4u) & 0x0f0f0f0fu));`;

/** An invocation unpacks a word. */
export function renderFromInt4(kernel: FromInt4Kernel, { name, bindings, target }: Opening): RenderedKernel {
  const items = 4 * kernel.groups;
  const text = `fn ${name}(first: u32, last: u32, lane: u32, zero: u32) {
  for (var item = first + lane; item < last; item += ${target.lanes}u) {
    let group = item / 4u;
    ${openGroup(kernel, "group", bindings)}
    ${openWord(kernel, "item", bindings)}
    let at = group * ${FOURS}u + item % 4u;
    ${bindings.store(kernel.to, "at", "low * scale + least", 4)}
    ${bindings.store(kernel.to, `at + ${FOURS / 2}u`, "high * scale + least", 4)}
  }
}`;
  return { text, items, each: share(items, target.lanes, target) };
}

/** Several invocations share a product: each takes some groups, for which it rounds x to whole numbers. */
export function renderInt4Product(kernel: Int4ProductKernel, opening: Opening): RenderedKernel {
  const { name, bindings, target } = opening;
  const { groups, rows, count, x, to } = kernel;
  const parts = target.cpu ? 1 : Math.min(target.lanes, MOST_PARTS, 2 ** Math.floor(Math.log2(groups)));
  const together = target.lanes / parts;
  const joined = new Block();
  joinParts(joined, { parts, stride: 1 }, target, {
    keep: ["scratch[lane] = vec4u(bitcast<u32>(total));"],
    add: (other) => [`total += bitcast<f32>(scratch[${other}].x);`],
  });
  const rounded = (at: string) => `floor(${bindings.load(x, at, 4)} / divisor + 0.5)`;
  const text = `fn ${name}(first: u32, last: u32, lane: u32, zero: u32) {
  let part = lane % ${parts}u; let own = lane / ${parts}u;
  for (var base = first; base < last; base += ${together}u) {
    let item = min(base + own, last - 1u);
    let row = item % ${rows}u;
    let vector = (item / ${rows}u) * ${groups * FOURS}u;
    var total = 0.0;
    for (var g = part; g < ${loopEnd(groups, target)}; g += ${parts}u) {
      let group = row * ${groups}u + g;
      let at = vector + g * ${FOURS}u;
      var largest = vec4f(0);
      for (var k = 0u; k < ${loopEnd(FOURS, target)}; k++) { largest = max(largest, abs(${bindings.load(x, "at + k", 4)})); }
      let step = max(max(largest.x, largest.y), max(largest.z, largest.w)) / ${INT8_LARGEST}.0;
      let divisor = max(step, ${INT8_LEAST_STEP});
      var products = vec4f(0); var sums = vec4f(0);
      for (var word = 0u; word < ${loopEnd(4, target)}; word++) {
        ${openWord(kernel, "4u * group + word", bindings)}
        let ofLow = ${rounded("at + word")}; let ofHigh = ${rounded(`at + word + ${FOURS / 2}u`)};
        products += ofLow * low + ofHigh * high;
        sums += ofLow + ofHigh;
      }
      ${openGroup(kernel, "group", bindings)}
      let one = vec4f(1);
      total += step * (scale * dot(products, one) + least * dot(sums, one));
    }
    ${parts === 1 ? "" : joined.lines.join("\n    ")}
    if (part == 0u && base + own < last) { ${bindings.store(to, "item", "total")} }
  }
}`;
  const items = count * rows;
  return { text, items, each: share(items, together, target), memory: parts === 1 ? {} : { scratch: target.lanes } };
}

/** Several invocations share the products with four outputs: each takes some groups of inputs, of which it reads the weights of those that are not 0. */
export function renderInt4InputsProduct(kernel: Int4InputsProductKernel, opening: Opening): RenderedKernel {
  const { name, bindings, target } = opening;
  const { groups, rows, count, x, words, scale, min, to } = kernel;
  const parts = target.cpu ? 1 : Math.min(target.lanes, MOST_PARTS, 2 ** Math.floor(Math.log2(groups)));
  const together = target.lanes / parts;
  const joined = new Block();
  joinParts(joined, { parts, stride: 1 }, target, {
    keep: ["scratch[lane] = bitcast<vec4u>(total);"],
    add: (other) => [`total += bitcast<vec4f>(scratch[${other}]);`],
  });
  const fours = rows / 4;
  const text = `fn ${name}(first: u32, last: u32, lane: u32, zero: u32) {
  let part = lane % ${parts}u; let own = lane / ${parts}u;
  for (var base = first; base < last; base += ${together}u) {
    let item = min(base + own, last - 1u);
    let four = item % ${fours}u;
    let vector = (item / ${fours}u) * ${groups * INT4_GROUP}u;
    // Of 32 outputs the low halves of four words are the first 16, the high halves the others.
    let word = (four / ${FOURS}u) * 4u + four % 4u;
    let shift = select(0u, 4u, four % ${FOURS}u >= 4u);
    var total = vec4f(0);
    for (var g = part; g < ${loopEnd(groups, target)}; g += ${parts}u) {
      let at = vector + g * ${INT4_GROUP}u;
      var largest = 0.0;
      for (var k = 0u; k < ${loopEnd(INT4_GROUP, target)}; k++) { largest = max(largest, abs(${bindings.load(x, "at + k")})); }
      let step = largest / ${INT8_LARGEST}.0;
      let divisor = max(step, ${INT8_LEAST_STEP});
      var products = vec4f(0); var sum = 0.0;
      for (var k = 0u; k < ${loopEnd(INT4_GROUP, target)}; k++) {
        let number = floor(${bindings.load(x, "at + k")} / divisor + 0.5);
        if (number != 0.0) {
          let bits = bitcast<u32>(${bindings.load(words, `(g * ${INT4_GROUP}u + k) * ${rows / 8}u + word`)});
          products += number * vec4f(unpack4xU8((bits >> shift) & 0x0f0f0f0fu));
          sum += number;
        }
      }
      total += step * (products * ${bindings.load(scale, `g * ${fours}u + four`, 4)} + sum * ${bindings.load(min, `g * ${fours}u + four`, 4)});
    }
    ${parts === 1 ? "" : joined.lines.join("\n    ")}
    if (part == 0u && base + own < last) { ${bindings.store(to, "item", "total", 4)} }
  }
}`;
  const items = count * fours;
  return { text, items, each: share(items, together, target), memory: parts === 1 ? {} : { scratch: target.lanes } };
}
