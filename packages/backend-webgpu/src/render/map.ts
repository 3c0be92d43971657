import type { LoopKernel } from "@finegrain/codegen";
import { size } from "@finegrain/graph";
import { Block } from "./block.ts";
import { type Opening, type RenderedKernel, share } from "./kernel.ts";
import { decodeItem, storeResult } from "./loops.ts";

/** A kernel without a reduction: every lane computes elements of its own, neighbours side by side. */
export function renderMap(kernel: LoopKernel, { name, bindings, target, row }: Opening): RenderedKernel {
  const { extents } = kernel;
  const items = size(extents);
  const block = new Block().nest(`fn ${name}(first: u32, last: u32, lane: u32, zero: u32)`, (body) => {
    body.nest(`for (var item = first + lane; item < last; item += ${target.lanes}u)`, (inner) => {
      const loops = decodeItem(inner, extents, row);
      storeResult(kernel, { block: inner, loops, bindings });
    });
  });
  return { text: block.lines.join("\n"), items, each: share(items, target.lanes) };
}
