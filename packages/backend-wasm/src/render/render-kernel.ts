import { type Kernel, type ProgramBuffer, readsOf } from "@finegrain/codegen";
import { Code } from "../assembler/code.ts";
import type { Opening, RenderedKernel, Target } from "./kernel.ts";
import { renderFromInt4 } from "./kernels/from-int4.ts";
import { renderInt4InputsProduct } from "./kernels/int4-inputs-product.ts";
import { renderInt4Product } from "./kernels/int4-product.ts";
import { renderRandomBits } from "./kernels/random-bits.ts";
import { renderScatterAdd } from "./kernels/scatter-add.ts";
import { renderTopK } from "./kernels/top-k.ts";
import { renderLoop } from "./loops/loop.ts";
import type { Division } from "./loops/loop-renderer.ts";

/** Write a kernel's function. */
export function renderKernel(kernel: Kernel, target: Target): RenderedKernel {
  const buffers = buffersOf(kernel);
  const { wide } = target;
  const code = new Code(new Array(buffers.length + 3).fill(wide ? "i64" : "i32"), wide);
  const pointers = new Map(buffers.map((buffer, i) => [buffer, code.parameter(i)]));
  const [begin, end] = [code.parameter(buffers.length), code.parameter(buffers.length + 1)];
  const scratch = code.parameter(buffers.length + 2);
  return { code, ...render(kernel, { code, pointers, begin, end, scratch }, target) };
}

function render(kernel: Kernel, opening: Opening, target: Target): Division {
  switch (kernel.kind) {
    case "loop":
      return renderLoop(kernel, opening, target);
    case "scatterAdd":
      return renderScatterAdd(kernel, opening);
    case "topK":
      return renderTopK(kernel, opening);
    case "randomBits":
      return renderRandomBits(kernel, opening);
    case "fromInt4":
      return renderFromInt4(kernel, opening);
    case "int4Product":
      return renderInt4Product(kernel, opening, target);
    case "int4InputsProduct":
      return renderInt4InputsProduct(kernel, opening, target);
  }
}

/** Buffers that a kernel reads or writes, once each. */
export const buffersOf = (kernel: Kernel): ProgramBuffer[] => [...new Set([...readsOf(kernel), kernel.to])];

/** A text that is the same for kernels whose functions are the same: buffers by their order, not by what they are. */
export function kernelKey(kernel: Kernel): string {
  const numbers = new Map(buffersOf(kernel).map((buffer, i) => [buffer, i]));
  const expressions = new Map<object, number>();
  return JSON.stringify(kernel, (key, value: unknown) => {
    if (key === "name") return undefined;
    if (typeof value !== "object" || value === null) return value;
    const buffer = numbers.get(value as ProgramBuffer); // looked up by identity
    if (buffer !== undefined) {
      const { dtype, size } = value as ProgramBuffer; // it is one of them
      return `${buffer}: ${dtype}[${size}]`;
    }
    if (!("kind" in value)) return value;
    // An expression that comes again is named by its first place, or a graph of them would be written out as a tree.
    const seen = expressions.get(value);
    if (seen !== undefined) return `=${seen}`;
    expressions.set(value, expressions.size);
    return value;
  });
}
