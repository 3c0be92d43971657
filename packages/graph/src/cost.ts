import type { TensorType } from "./tensor.ts";
import { byteSize, size } from "./tensor.ts";

/** `flops`: floating-point operations, a multiply-add counted as two. `bytes`: read and written. */
export interface Cost {
  readonly flops: number;
  readonly bytes: number;
}

/** Inputs read once, output written once, `perElement` operations for every element of the output. */
export const elementwiseCost = (inputs: readonly TensorType[], out: TensorType, perElement = 1): Cost => ({
  flops: size(out.shape) * perElement,
  bytes: inputs.reduce((bytes, x) => bytes + byteSize(x), byteSize(out)),
});
