import { lowerEinsum, type MatrixOperations } from "../einsum.ts";
import type { PartialLowerings } from "../lowering.ts";
import type { Kernels } from "./kernels.ts";

const float = (shape: readonly number[]) => ({ dtype: "float32", shape }) as const;

export function products(k: Kernels) {
  const m: MatrixOperations = {
    reshape: (x, shape) => k.reshape(x, shape),
    transpose: (x, perm) => k.run("Transpose", { x }, float(perm.map((axis) => x.shape[axis]!)), { perm }),
    sum: (x, axis) =>
      k.run("Sum", { x }, float(x.shape.filter((_, i) => !axis.includes(i))), { axis, keepDims: false }),
    mul: (a, b, shape) => k.run("Multiply", { a, b }, float(shape)),
    zeros: (shape) => k.fill(float(shape), 0),
    matMul(a, b, transposeA, transposeB) {
      const shape = [...a.shape.slice(0, -2), a.shape.at(transposeA ? -1 : -2)!, b.shape.at(transposeB ? -2 : -1)!];
      const lead = (x: typeof a) => (x.shape.length === 2 ? k.reshape(x, [1, ...x.shape]) : x);
      const full = shape.length === 2 ? [1, ...shape] : shape;
      return k.reshape(
        k.run("BatchMatMul", { a: lead(a), b: lead(b) }, float(full), { transposeA, transposeB }),
        shape,
      );
    },
  };
  return { einsum: (operands, text, out) => lowerEinsum(m, operands, text, out) } satisfies PartialLowerings;
}
