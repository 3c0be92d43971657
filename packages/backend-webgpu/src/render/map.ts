import type { LoopKernel } from "@finegrain/codegen";
import { size } from "@finegrain/graph";
import { Block } from "./block.ts";
import { isAligned } from "./expression.ts";
import { type Opening, type RenderedKernel, share } from "./kernel.ts";
import { type Count, decodeItem, ONE_BY_ONE, storeResult } from "./loops.ts";

/** Steps of a lane that a workgroup is not cut smaller than. */
const FEW_STEPS = 16;

/** A kernel without a reduction: every lane computes elements of its own, neighbours side by side; on a CPU, four at a time. */
export function renderMap(kernel: LoopKernel, { name, bindings, target, row }: Opening): RenderedKernel {
  const { extents } = kernel;
  const items = size(extents);
  const last = extents.length - 1;
  const whole = last >= 0 && extents[last]! % 4 === 0 && (row === undefined || row % 4 === 0);
  const four = target.cpu && whole && isAligned(kernel, last);
  const count: Count = four ? { name: "fourth", from: "begin", each: 4 } : ONE_BY_ONE;
  const block = new Block().nest(`fn ${name}(first: u32, last: u32, lane: u32, zero: u32)`, (body) => {
    if (four) body.add("let begin = first / 4u;", "let end = last / 4u;");
    const { name: i, from } = count;
    body.nest(`for (var ${i} = ${from} + lane; ${i} < ${four ? "end" : "last"}; ${i} += ${target.lanes}u)`, (inner) => {
      const loops = decodeItem(inner, extents, row, count);
      storeResult(kernel, { block: inner, loops, bindings, four });
    });
  });
  return { text: block.lines.join("\n"), items, each: share(items, count.each * target.lanes, target, FEW_STEPS) };
}
