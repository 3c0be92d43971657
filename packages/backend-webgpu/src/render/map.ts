import type { LoopKernel } from "@finegrain/codegen";
import { size } from "@finegrain/graph";
import { Block } from "./block.ts";
import { isAligned } from "./expression.ts";
import { type Opening, type RenderedKernel, share } from "./kernel.ts";
import { decodeItem, storeResult } from "./loops.ts";

/** Steps of a lane that a workgroup is not cut smaller than. */
const FEW_STEPS = 16;

/** A kernel without a reduction: every lane computes elements of its own, neighbours side by side; on a CPU, four at a time. */
export function renderMap(kernel: LoopKernel, { name, bindings, target, row }: Opening): RenderedKernel {
  const { extents } = kernel;
  const items = size(extents);
  const last = extents.length - 1;
  const whole = last >= 0 && extents[last]! % 4 === 0 && (row === undefined || row % 4 === 0);
  const four = target.cpu && whole && isAligned(kernel, last);
  const width = four ? 4 : 1;
  const block = new Block().nest(`fn ${name}(first: u32, last: u32, lane: u32, zero: u32)`, (body) => {
    const start = four ? "4u * lane" : "lane";
    body.nest(`for (var item = first + ${start}; item < last; item += ${width * target.lanes}u)`, (inner) => {
      const loops = decodeItem(inner, extents, row);
      storeResult(kernel, { block: inner, loops, bindings, four });
    });
  });
  return { text: block.lines.join("\n"), items, each: share(items, width * target.lanes, target, FEW_STEPS) };
}
