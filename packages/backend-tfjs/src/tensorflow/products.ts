import { size, type Tensor } from "@finegrain/graph";
import { lowerEinsum, type MatrixOperations } from "../einsum.ts";
import type { PartialLowerings } from "../lowering.ts";
import type { Value } from "../program-builder.ts";
import type { Operations } from "./operations.ts";
import { isView } from "./shape.ts";

const float = (shape: readonly number[]) => ({ dtype: "float32", shape }) as const;

/** Elements up to which a batch of matrices times vectors is multiplied and summed in two operations. */
const LARGEST_SUM = 2 ** 16;

/** Rows from which BatchMatMulV2 multiplies by a flipped matrix faster than MatMul: 3 times as fast at 16, slower at 8. */
const MANY_ROWS = 16;

/** m, k and n of a product of [m, k] by [k, n]. */
const extents = (x: Value, y: Value, flipX: boolean, flipY: boolean) =>
  [x.shape.at(flipX ? -1 : -2)!, x.shape.at(flipX ? -2 : -1)!, y.shape.at(flipY ? -2 : -1)!] as const;

/**
 * Products of a batch of small matrices with a vector each, as a product stretched over both and a sum: two operations on one
 * thread, where BatchMatMulV2 takes longer to wake its others. Undefined where it is not that.
 */
function sumOfProducts(tf: Operations, x: Value, y: Value, flipX: boolean, flipY: boolean): Value | undefined {
  const batch = x.shape.slice(0, -2);
  const [m, k, n] = extents(x, y, flipX, flipY);
  const isSmall = Math.max(size(x.shape), size(y.shape)) <= LARGEST_SUM;
  if (!tf.isOnCpu || batch.length === 0 || (m !== 1 && n !== 1) || !isSmall) return undefined;
  const [vector, matrix, isLast, rest] = m === 1 ? [x, y, flipY, n] : [y, x, !flipX, m];
  const placed = tf.reshape(vector, isLast ? [...batch, 1, k] : [...batch, k, 1]);
  const stretched = tf.elementwise("Mul", [placed, matrix], float(isLast ? [...batch, rest, k] : [...batch, k, rest]));
  const sum = isLast
    ? tf.alongLast("Sum", stretched, [tf.ints(-1)], float([...batch, rest]), { last: [] })
    : tf.op("Sum", [stretched, tf.ints(-2)], float([...batch, rest]));
  return tf.reshape(sum, [...batch, m, n]);
}

/** [batch..., m, k] by [batch..., k, n]; a flipped operand has its last two axes the other way round. */
export type MatMul = MatrixOperations["matMul"];

export const matMul =
  (tf: Operations): MatMul =>
  (x, y, flipX, flipY) => {
    const sum = sumOfProducts(tf, x, y, flipX, flipY);
    if (sum) return sum;
    const [m, , n] = extents(x, y, flipX, flipY);
    const batch = x.shape.slice(0, -2);
    const shape = [...batch, m, n];
    // MatMul takes two matrices alone. It is the faster one for a few rows, and slow where many meet a flipped matrix.
    const isMatMul = batch.length === 0 && !(tf.isOnCpu && flipY && m >= MANY_ROWS);
    return isMatMul
      ? tf.op("MatMul", [x, y], float(shape), { transpose_a: flipX, transpose_b: flipY })
      : tf.op("BatchMatMulV2", [x, y], float(shape), { adj_x: flipX, adj_y: flipY });
  };

export function products(tf: Operations) {
  const m: MatrixOperations = {
    reshape: (x, shape) => tf.reshape(x, shape),
    transpose(x, order) {
      const shape = order.map((axis) => x.shape[axis]!);
      return isView(x.shape, order) ? tf.reshape(x, shape) : tf.op("Transpose", [x, tf.ints(...order)], float(shape));
    },
    sum: (x, axes) => tf.op("Sum", [x, tf.ints(...axes)], float(x.shape.filter((_, i) => !axes.includes(i)))),
    mul: (x, y, shape) => tf.elementwise("Mul", [x, y], float(shape)),
    zeros: (shape) => tf.op("Fill", [tf.ints(...shape), tf.constant("float32", [], [0])], float(shape)),
    flipsFree: true,
    matMul: matMul(tf),
  };
  const einsum = (operands: Value[], text: string, out: Tensor) => lowerEinsum(m, operands, text, out);
  return { einsum } satisfies PartialLowerings;
}
