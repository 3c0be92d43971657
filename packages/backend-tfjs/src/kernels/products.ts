import { size, type Tensor } from "@finegrain/graph";
import type * as Tf from "@tensorflow/tfjs-core";
import { lowerEinsum, type MatrixOperations } from "../einsum.ts";
import type { PartialLowerings } from "../lowering.ts";
import type { Value } from "../program-builder.ts";
import type { Kernels } from "./kernels.ts";

const float = (shape: readonly number[]) => ({ dtype: "float32", shape }) as const;

export function products(k: Kernels) {
  const isWasm = k.engine === "wasm";
  const m: MatrixOperations = {
    reshape: (x, shape) => k.reshape(x, shape),
    transpose: (x, perm) => k.transpose(x, perm),
    sum: (x, axis) =>
      k.run("Sum", { x }, float(x.shape.filter((_, i) => !axis.includes(i))), { axis, keepDims: false }),
    mul: (a, b, shape) => k.run("Multiply", { a, b }, float(shape)),
    zeros: (shape) => k.fill(float(shape), 0),
    // The WebAssembly kernel has a fast product of one matrix by another, both as they are, and a slow one of all others.
    flipsFree: !isWasm,
    matMul(a, b, flipA, flipB) {
      const batch = a.shape.slice(0, -2);
      const shape = [...batch, a.shape.at(flipA ? -1 : -2)!, b.shape.at(flipB ? -2 : -1)!];
      const [x, y] = [a, b].map((v) => k.reshape(v, [size(batch), ...v.shape.slice(-2)])) as [Value, Value];
      const out = float([size(batch), ...shape.slice(-2)]);
      if (isWasm && size(batch) > 1) return k.reshape(oneByOne(k, x, y, out), shape);
      const right = isWasm && y.isWritten ? copied(k, y) : y;
      const flips = { transposeA: flipA, transposeB: flipB };
      return k.reshape(k.run("BatchMatMul", { a: x, b: right }, out, flips), shape);
    },
  };
  const einsum = (operands: Value[], text: string, out: Tensor) => lowerEinsum(m, operands, text, out);
  return { einsum } satisfies PartialLowerings;
}

/** A tensor of the same numbers: the kernel packs its right matrix once in a tensor's life, and would not see it change. */
const copied = (k: Kernels, x: Value): Value =>
  k.builder.step("copy", [x], x, ([tensor]) =>
    k.tf.engine().makeTensor(k.view(tensor!).slice(), tensor!.shape, tensor!.dtype),
  );

/** [batch, m, k] by [batch, k, n], a matrix after the other: every product is the fast one, of copies of its own. */
function oneByOne(
  k: Kernels,
  x: Value,
  y: Value,
  out: { readonly dtype: "float32"; readonly shape: readonly number[] },
): Value {
  const engine = k.tf.engine();
  const [batch, rows, columns] = out.shape as [number, number, number];
  const part = (tensor: Tf.Tensor, i: number): Tf.Tensor => {
    const [, m, n] = tensor.shape as [number, number, number];
    return engine.makeTensor(k.view(tensor).slice(i * m * n, (i + 1) * m * n), [1, m, n], "float32");
  };
  const attributes = { transposeA: false, transposeB: false };
  return k.builder.step("products", [x, y], out, ([left, right]) => {
    const result: Tf.Tensor = engine.runKernel("Fill", {}, { shape: [...out.shape], value: 0, dtype: "float32" });
    for (let i = 0; i < batch; i++) {
      const [a, b] = [part(left!, i), part(right!, i)];
      const product: Tf.Tensor = engine.runKernel("BatchMatMul", { a, b }, attributes);
      k.view(result).set(k.view(product), i * rows * columns);
      for (const tensor of [a, b, product]) tensor.dispose();
    }
    return result;
  });
}
