import type { ScatterAddKernel } from "@finegrain/codegen";
import { loopEnd, type Opening, type RenderedKernel, share } from "./kernel.ts";

/** Sets of rows that are written side by side. */
const BUCKETS = 32;

/**
 * Every invocation has one column of the rows r with r mod BUCKETS the same, and goes through all indices: no update is lost, and
 * the order of the sums is always the same, which atomic additions do not promise.
 */
export function renderScatterAdd(kernel: ScatterAddKernel, { name, bindings, target }: Opening): RenderedKernel {
  const { indices, updates, count, rows, width, to } = kernel;
  const buckets = Math.min(BUCKETS, rows);
  const text = `fn ${name}(first: u32, last: u32, lane: u32, zero: u32) {
  for (var item = first + lane; item < last; item += ${target.lanes}u) {
    let column = item % ${width}u;
    let bucket = item / ${width}u;
    for (var row = bucket; row < ${loopEnd(rows, target)}; row += ${buckets}u) { ${bindings.store(to, `row * ${width}u + column`, "0")} }
    for (var k = 0u; k < ${loopEnd(count, target)}; k++) {
      let row = u32(${bindings.load(indices, "k")});
      if (row < ${rows}u && row % ${buckets}u == bucket) {
        let at = row * ${width}u + column;
        let sum = ${bindings.load(to, "at")} + ${bindings.load(updates, `k * ${width}u + column`)};
        ${bindings.store(to, "at", "sum")}
      }
    }
  }
}`;
  const items = buckets * width;
  return { text, items, each: share(items, target.lanes, target) };
}
