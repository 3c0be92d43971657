import type { Tensor } from "./tensor.ts";

/** `cast(weight)` and `cast(weight) * scale`: what weights of fewer bits are read as. */
export const isDequantized = (x: Tensor): boolean =>
  x.op === "cast"
    ? x.inputs[0]!.dtype === "float16" || x.inputs[0]!.dtype === "int8"
    : x.op === "mul" && x.inputs.some((factor) => factor.op === "cast" && isDequantized(factor));
