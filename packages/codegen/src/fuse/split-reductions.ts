import { einsum, parseEinsum, type Replace, reduceSum, reshape, size, type Tensor } from "@finegrain/graph";
import { attrsOf } from "./inline.ts";

/** Sums shorter than this are one kernel's work. */
const SHORT = 2 ** 14;
/** As {@link SHORT}, of sums of products: a thread does them faster than it can wait for another. */
const SHORT_PRODUCT = 2 ** 19;
/** Partial sums of a long one, so that threads can share it. */
const PARTS = 64;

/** A pass: a sum of everything, or of all products of two values' elements, becomes a sum of partial sums, so that it is not one thread's work. */
export const splitReduction: Replace = (node) => {
  if (size(node.shape) !== 1 || !sumsAll(node)) return node;
  const length = size(node.inputs[0]!.shape);
  if (length < (node.op === "einsum" ? SHORT_PRODUCT : SHORT) || length % PARTS !== 0) return node;
  const [x, y] = node.inputs.map((operand) => reshape(operand, [PARTS, length / PARTS]));
  const parts = y ? einsum(x!, y, "P N, P N -> P") : reduceSum(x!, { axes: [1] });
  return reshape(reduceSum(parts, { axes: [0] }), node.shape);
};

function sumsAll(node: Tensor): boolean {
  if (node.op === "reduceSum") return attrsOf("reduceSum", node).axes.length > 0;
  if (node.op !== "einsum") return false;
  const { x, y, out } = parseEinsum(attrsOf("einsum", node));
  return out.length === 0 && x.length === y.length && x.every((axis, i) => axis === y[i]);
}
