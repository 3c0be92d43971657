import { type Cost, size } from "@finegrain/graph";
import { expressionsOf, type Load, variesAlong } from "../ir/expression.ts";
import { bytesOf, elementBytes, type Kernel, type LoopKernel } from "../ir/kernel.ts";

/** Arithmetic of one run, and the bytes that it cannot but read and write: what comes again is counted once. */
export function kernelCost(kernel: Kernel): Cost {
  switch (kernel.kind) {
    case "loop":
      return loopCost(kernel);
    case "scatterAdd":
      return { flops: kernel.count * kernel.width, bytes: 2 * bytesOf(kernel.updates) + bytesOf(kernel.to) };
    case "topK":
      return { flops: kernel.rows * kernel.length, bytes: bytesOf(kernel.from) + bytesOf(kernel.to) };
    case "randomBits":
      return { flops: 0, bytes: bytesOf(kernel.to) };
  }
}

function loopCost({ extents, reduction, result, to }: LoopKernel): Cost {
  const all = [...extents, ...(reduction?.extents ?? [])];
  const roots = reduction ? [reduction.body, result] : [result];
  const each = (root: (typeof roots)[number]) => expressionsOf(root).filter(({ kind }) => kind === "call").length;
  const folded = reduction ? size(all) * (each(reduction.body) + 1) : 0;
  const loads = expressionsOf(...roots).filter((e) => e.kind === "load");
  const bytes = loads.reduce(
    (sum, load) => sum + elementBytes(load.dtype) * touched(load, all),
    elementBytes(to.dtype) * size(extents),
  );
  return { flops: folded + size(extents) * each(result), bytes };
}

/** Elements of its buffer that a load reads. */
const touched = (load: Load, extents: readonly number[]): number =>
  Math.min(load.from.size, size(extents.filter((_, loop) => variesAlong(load, loop))));
