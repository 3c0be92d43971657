import { type Graph, reduceSum, reshape, rewrite, size } from "@finegrain/graph";
import { attrsOf } from "./inline.ts";

/** Sums shorter than this are one kernel's work. */
const SHORT = 2 ** 14;
/** Partial sums of a long one, so that threads can share it. */
const PARTS = 64;

/** A sum of everything becomes a sum of partial sums, so that it is not one thread's work. */
export const splitReductions = (graph: Graph): Graph =>
  rewrite(graph, (node) => {
    if (node.op !== "reduceSum" || size(node.shape) !== 1) return node;
    const x = node.inputs[0]!;
    const length = size(x.shape);
    if (length < SHORT || length % PARTS !== 0 || attrsOf("reduceSum", node).axes.length === 0) return node;
    const parts = reduceSum(reshape(x, [PARTS, length / PARTS]), { axes: [1] });
    return reshape(reduceSum(parts, { axes: [0] }), node.shape);
  });
