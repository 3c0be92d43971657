import { size } from "@finegrain/graph";
import type { ModelBuilder } from "../model-builder.ts";
import type { Lowerings } from "./lowering.ts";

export const shapes = (m: ModelBuilder) =>
  ({
    reshape: ([x], shape) => m.reshape(x!, shape),
    transpose: ([x], perm) => m.node("Transpose", [x!], { perm }),
    broadcastTo: ([x], shape) => m.node("Expand", [x!, m.ints(...shape)]),
    slice: ([x], { starts, ends }) => m.node("Slice", [x!, m.ints(...starts), m.ints(...ends)]),
    pad: ([x], { low, high }, out) =>
      size(out.inputs[0]!.shape) === 0 ? m.fill(out, 0) : m.node("Pad", [x!, m.ints(...low, ...high)]),
    concat: (parts, { axis }, out) => {
      const full = parts.filter((_, i) => size(out.inputs[i]!.shape) > 0);
      return full.length === 1 ? full[0]! : m.node("Concat", full, { axis });
    },
    iota: (_, { shape, axis }) => {
      const line = m.range(...shape.map((extent, i) => (i === axis ? extent : 1)));
      return shape.every((extent, i) => i === axis || extent === 1) ? line : m.node("Expand", [line, m.ints(...shape)]);
    },
    constant: (_, { dtype, shape, data }) => m.constant(dtype, shape, data),
  }) satisfies Lowerings;
