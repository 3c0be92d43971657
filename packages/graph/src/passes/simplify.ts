import type { Graph } from "../graph.ts";
import { add } from "../ops/add.ts";
import { div } from "../ops/div.ts";
import { mul } from "../ops/mul.ts";
import { reshape } from "../ops/reshape.ts";
import { sub } from "../ops/sub.ts";
import { transpose } from "../ops/transpose.ts";
import type { Shape, Tensor } from "../tensor.ts";
import { sameShape } from "../tensor.ts";
import { type Replace, rewrite } from "./rewrite.ts";

const isScalar = (node: Tensor, value: number): boolean =>
  node.op === "constant" &&
  node.shape.length === 0 &&
  Object.is((node.attrs as { data: readonly number[] }).data[0], value);

/** What a node is equal to, bit for bit, or undefined. */
type Rule = (node: Tensor, x: Tensor, y: Tensor | undefined) => Tensor | undefined;

const unchanged: Rule = (node, x) => (sameShape(node.shape, x.shape) ? x : undefined);

/** Operands that are stretched to the shape of the other one, which the op itself does too. */
const stretches =
  (op: (x: Tensor, y: Tensor) => Tensor): Rule =>
  (node, x, y) => {
    if (x.op === "broadcastTo" && sameShape(y!.shape, node.shape)) return op(x.inputs[0]!, y!);
    if (y!.op === "broadcastTo" && sameShape(x.shape, node.shape)) return op(x, y!.inputs[0]!);
    return undefined;
  };

const rules: Readonly<Record<string, Rule>> = {
  add: stretches(add),
  // x * 1 = x
  mul: (node, x, y) =>
    isScalar(y!, 1) ? unchanged(node, x, y) : isScalar(x, 1) ? unchanged(node, y!, x) : stretches(mul)(node, x, y),
  // x / 1 = x
  div: (node, x, y) => (isScalar(y!, 1) ? unchanged(node, x, y) : stretches(div)(node, x, y)),
  // x - 0 = x. Not x + 0, which turns -0 into 0.
  sub: (node, x, y) => (isScalar(y!, 0) ? unchanged(node, x, y) : stretches(sub)(node, x, y)),
  // -(-x) = x
  neg: (_, x) => (x.op === "neg" ? x.inputs[0] : undefined),
  cast: (node, x) => (x.dtype === node.dtype ? x : undefined),
  broadcastTo: unchanged,
  sumTo: unchanged,
  slice: unchanged,
  pad: unchanged,
  stopGradient: (_, x) => x,
  reduceSum: (node, x) => ((node.attrs as { axes: readonly number[] }).axes.length === 0 ? x : undefined),
  concat: (node, x) => (node.inputs.length === 1 ? x : undefined),
  reshape: (node, x) =>
    sameShape(node.shape, x.shape) ? x : x.op === "reshape" ? reshape(x.inputs[0]!, node.shape) : undefined,
  transpose(node, x) {
    const order = node.attrs as Shape;
    if (order.every((axis, i) => axis === i)) return x;
    if (x.op !== "transpose") return undefined;
    const inner = x.attrs as Shape;
    const both = order.map((axis) => inner[axis]!);
    return both.every((axis, i) => axis === i) ? x.inputs[0] : transpose(x.inputs[0]!, both);
  },
};

/** Algebra that keeps every result as it is, to the bit. Gradients are gone by now, so `stopGradient` goes too. */
export const simplify = (graph: Graph): Graph => rewrite(graph, simplified);

/** What {@link simplify} puts in the place of a node. */
export const simplified: Replace = (node) => rules[node.op]?.(node, node.inputs[0]!, node.inputs[1]) ?? node;
