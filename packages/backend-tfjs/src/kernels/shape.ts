import { size } from "@finegrain/graph";
import type { PartialLowerings } from "../lowering.ts";
import type { Kernels } from "./kernels.ts";

export const shapes = (k: Kernels) =>
  ({
    reshape: ([x], shape) => k.reshape(x!, shape),
    transpose: ([x], perm) => k.transpose(x!, perm),
    broadcastTo: ([x], shape) => k.broadcast(x!, shape),
    slice: ([x], { starts }, out) => k.run("Slice", { x: x! }, out, { begin: starts, size: out.shape }),
    pad: ([x], { low, high }, out) =>
      size(x!.shape) === 0
        ? k.fill(out, 0)
        : k.run("PadV2", { x: x! }, out, { paddings: low.map((n, axis) => [n, high[axis]!]), constantValue: 0 }),
    concat(parts, { axis }, out) {
      const full = parts.filter(({ shape }) => size(shape) > 0);
      return k.list("Concat", full, out, { axis });
    },
    iota: (_, { shape, axis }) => {
      const n = shape[axis]!;
      const line = k.constant(
        "int32",
        shape.map((_, i) => (i === axis ? n : 1)),
        Array.from({ length: n }, (_, i) => i),
      );
      return k.broadcast(line, shape);
    },
    constant: (_, { dtype, shape, data }) => k.constant(dtype, shape, data),
  }) satisfies PartialLowerings;
