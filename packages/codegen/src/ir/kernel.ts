import { type DType, size, type TensorType } from "@finegrain/graph";
import type { ProgramBuffer } from "./buffer.ts";
import { type Expression, expressionsOf } from "./expression.ts";
import type { Index } from "./index-form.ts";

/** Loops over one output, with a reduction for every element of it where `reduction` is there. */
export interface LoopKernel {
  readonly kind: "loop";
  /** The ops that it computes, as a profile shows them. */
  readonly name: string;
  /** Of the parallel loops, outermost first. */
  readonly extents: readonly number[];
  readonly reduction?: Reduction;
  /** What is stored: of the parallel loops, and of the reduction's result. */
  readonly result: Expression;
  readonly to: ProgramBuffer;
  /** Of the parallel loops. */
  readonly at: Index;
}

export interface Reduction {
  readonly op: "sum" | "max" | "argMax";
  /** Of the reduced loops, which come after the parallel ones. */
  readonly extents: readonly number[];
  /** What is reduced. */
  readonly body: Expression;
  /**
   * From so many iterations on, of a single loop, a sum gains nothing: an int32 from 1 to the loop's extent, the same for all of the result. A
   * device may stop there.
   */
  readonly until?: Expression;
  /** The results that depend on the reduction: those at a place below an int32. A device need not reduce for the others. Default: all. */
  readonly wanted?: { readonly at: Index; readonly below: Expression };
}

/** out[indices[k], :] += updates[k, :], over an output of zeros. */
export interface ScatterAddKernel {
  readonly kind: "scatterAdd";
  readonly name: string;
  readonly indices: ProgramBuffer;
  readonly updates: ProgramBuffer;
  readonly count: number;
  readonly rows: number;
  readonly width: number;
  readonly to: ProgramBuffer;
}

/** Indices of the k largest of every row of `length`, largest first. */
export interface TopKKernel {
  readonly kind: "topK";
  readonly name: string;
  readonly from: ProgramBuffer;
  readonly rows: number;
  readonly length: number;
  readonly k: number;
  readonly to: ProgramBuffer;
}

/** Philox 4x32-10 of a key and a counter. */
export interface RandomBitsKernel {
  readonly kind: "randomBits";
  readonly name: string;
  readonly key: ProgramBuffer;
  readonly counter: ProgramBuffer;
  readonly to: ProgramBuffer;
}

/** Weights of 4 bits, as `fromInt4` has them. Scales and minima are float32 or float16. */
export interface Int4Weights {
  readonly words: ProgramBuffer;
  readonly scale: ProgramBuffer;
  readonly min: ProgramBuffer;
  readonly groups: number;
}

/** The numbers of so many groups of weights, one after the other. */
export interface FromInt4Kernel extends Int4Weights {
  readonly kind: "fromInt4";
  readonly name: string;
  readonly to: ProgramBuffer;
}

/** Products of `count` vectors with rows of weights: [count, groups * 32] x [rows, groups * 32] -> [count, rows]. */
export interface Int4ProductKernel extends Int4Weights {
  readonly kind: "int4Product";
  readonly name: string;
  readonly x: ProgramBuffer;
  readonly count: number;
  readonly rows: number;
  /** Groups of a row. */
  readonly groups: number;
  readonly to: ProgramBuffer;
}

/**
 * Products of `count` vectors with weights that lie input by input, as `fromInt4Inputs` has them: [count, groups * 32] x [groups * 32, rows] ->
 * [count, rows].
 */
export interface Int4InputsProductKernel extends Omit<Int4ProductKernel, "kind"> {
  readonly kind: "int4InputsProduct";
}

export type Kernel =
  | LoopKernel
  | ScatterAddKernel
  | TopKKernel
  | RandomBitsKernel
  | FromInt4Kernel
  | Int4ProductKernel
  | Int4InputsProductKernel;

/** All that a loop kernel computes for an iteration, in the order in which it meets it. */
export const rootsOf = ({ reduction, result, at }: LoopKernel): Expression[] => [
  ...(reduction ? [reduction.body, ...(reduction.until ? [reduction.until] : [])] : []),
  result,
  ...(reduction?.wanted ? [reduction.wanted.below] : []),
  ...at.dynamic.map(({ value }) => value),
];

/** Buffers that a kernel reads, in the order in which it meets them. */
export function readsOf(kernel: Kernel): ProgramBuffer[] {
  switch (kernel.kind) {
    case "loop":
      return [...new Set(expressionsOf(...rootsOf(kernel)).flatMap((e) => (e.kind === "load" ? [e.from] : [])))];
    case "scatterAdd":
      return [kernel.indices, kernel.updates];
    case "topK":
      return [kernel.from];
    case "randomBits":
      return [kernel.key, kernel.counter];
    case "fromInt4":
      return [kernel.words, kernel.scale, kernel.min];
    case "int4Product":
    case "int4InputsProduct":
      return [kernel.x, kernel.words, kernel.scale, kernel.min];
  }
}

/** Bytes of an element in a kernel's memory: a bool is an int32 of 0 or 1. */
export const elementBytes = (dtype: DType): number => (dtype === "float16" ? 2 : dtype === "int8" ? 1 : 4);

/** Bytes of a value that a program is given or makes. */
export const bytesOfType = ({ dtype, shape }: TensorType): number => elementBytes(dtype) * size(shape);

export const bytesOf = ({ dtype, size }: ProgramBuffer): number => size * elementBytes(dtype);
