import { catalog, type OpName } from "./catalog.ts";
import { FinegrainError } from "./errors.ts";
import { topological } from "./graph.ts";
import { type Pullback, scalar } from "./op.ts";
import { add } from "./ops/add.ts";
import { broadcastTo } from "./ops/broadcast-sum.ts";
import type { Tensor } from "./tensor.ts";
import { typeName } from "./tensor.ts";
import { type Like, leaves, Outline, type Tree } from "./tree.ts";

/**
 * d loss / d each of `wrt`, as more graph: a reverse sweep over the ops' own `vjp` rules.
 *
 *   loss     float32 []
 *   returns  float32, a tree like `wrt` and of its shapes; zeros where the loss does not depend on one
 *
 * @throws FinegrainError where `loss` is not a float32 scalar.
 */
export function gradient<T extends Tree<Tensor>>(loss: Tensor, wrt: T): Like<T, Tensor> {
  if (loss.dtype !== "float32" || loss.shape.length !== 0)
    throw new FinegrainError(`the gradient of ${typeName(loss)} was asked for: a loss is float32[]`);
  const tensors = leaves<Tensor>(wrt).map(([, tensor]) => tensor);
  return new Outline(wrt).tree(pullback(loss, scalar(1), tensors));
}

const pullback: Pullback = (y, ct, wrt) => {
  const order = topological([y], new Set(wrt));
  const reached = new Set<Tensor>(wrt);
  for (const node of order) if (node.inputs.some((x) => reached.has(x))) reached.add(node);

  const cotangents = new Map<Tensor, Tensor>([[y, ct]]);
  const stop = new Set(wrt);
  for (const node of order.reverse()) {
    const own = cotangents.get(node);
    if (own === undefined || stop.has(node) || !reached.has(node) || node.op === "input") continue;
    contributions(node, own).forEach((contribution, i) => {
      const x = node.inputs[i]!;
      if (!contribution || !reached.has(x)) return;
      const sofar = cotangents.get(x);
      cotangents.set(x, sofar ? add(sofar, contribution) : contribution);
    });
  }
  return wrt.map((x) => cotangents.get(x) ?? broadcastTo(scalar(0), x.shape));
};

function contributions(node: Tensor, ct: Tensor): readonly (Tensor | null)[] {
  const op = catalog[node.op as OpName];
  if (op.vjp === null) return [];
  if (op.vjp) return op.vjp(ct, node.inputs, node.attrs, node, pullback);
  if (!("decompose" in op)) return [];
  const distinct = [...new Set(node.inputs)];
  const found = pullback(op.decompose(node.inputs, node.attrs), ct, distinct);
  return node.inputs.map((x, i) => (node.inputs.indexOf(x) === i ? found[distinct.indexOf(x)]! : null));
}
