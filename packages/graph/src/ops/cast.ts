import { bool, f32, i32, typed } from "../cases.ts";
import { ShapeError } from "../errors.ts";
import { fromFloat16 } from "../float16.ts";
import { definePrimitive, type Op } from "../op.ts";
import type { ComputeDType, Tensor } from "../tensor.ts";
import { typeName } from "../tensor.ts";

/**
 * To another dtype. float32 to int32 drops the fraction; to bool asks whether x is not 0; bool becomes 0 or 1. From float16 and
 * int8 to float32 alone.
 */
export const cast: Op<[x: Tensor], ComputeDType> = definePrimitive({
  name: "cast",
  infer([x], dtype) {
    const stored = x.dtype === "float16" || x.dtype === "int8";
    if (stored && dtype !== "float32")
      throw new ShapeError(`cast of ${typeName(x)} to ${dtype}: it becomes float32 alone`);
    return { dtype, shape: x.shape };
  },
  evaluate([x], dtype) {
    if (x.dtype === "float16") return Float64Array.from(x.data, fromFloat16);
    if (dtype === "int32") return Int32Array.from(x.data, Math.trunc);
    return dtype === "bool" ? Uint8Array.from(x.data, (v) => (v === 0 ? 0 : 1)) : x.data;
  },
  vjp: (ct, [x], dtype) => [x.dtype === "float32" && dtype === "float32" ? ct : null],
  cases: [
    [f32(5), "int32"],
    [i32([5], 3), "bool"],
    [bool(5), "float32"],
    [i32([5], 100), "float32"],
    [bool(5), "int32"],
    [f32(3), "float32"],
  ],
  sample(draw) {
    const dtypes = ["float32", "int32", "bool"] as const;
    return [typed(dtypes[draw.integer(0, 2)]!, draw.shape()), dtypes[draw.integer(0, 2)]!];
  },
});
