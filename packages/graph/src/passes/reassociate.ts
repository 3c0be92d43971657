import { atOnce, type Turns } from "../backend/turn.ts";
import { einsumExtents, parseEinsum } from "../einsum-spec.ts";
import type { Graph } from "../graph.ts";
import { einsum } from "../ops/einsum.ts";
import { readersOf } from "../readers.ts";
import type { Shape, Tensor } from "../tensor.ts";
import { rewriting } from "./rewrite.ts";

/** Products are put in another order where that leaves at most this share of their multiplications. */
const WORTHWHILE = 0.75;

/** An operand and the names of its axes. */
interface Operand {
  readonly axes: readonly string[];
  readonly tensor: Tensor;
}

/** (p·q)·z, over names that mean the same in all three. */
interface Chain {
  readonly p: Operand;
  readonly q: Operand;
  readonly z: Operand;
  readonly out: readonly string[];
}

/**
 * Products of three in the order that takes the fewest multiplications, where a product of two goes into no others but such: with A and B narrow,
 * the gradients of x·(W + A·B) are then Aᵀ(xᵀdy) as (x·A)ᵀdy and (xᵀdy)Bᵀ as xᵀ(dy·Bᵀ), so that xᵀdy, as large as W, is not made.
 */
export const reassociate = (graph: Graph): Graph => atOnce(reassociating(graph));

/** The same, in turns. Most graphs stay as they are. */
export function* reassociating(source: Graph): Turns<Graph> {
  const better = betterOrders(source);
  if (better.size === 0) return source;
  return yield* rewriting(source, (node, original) => better.get(original)?.(node) ?? node);
}

/** Of each product that is to be made in another order, what makes it. */
function betterOrders(source: Graph): Map<Tensor, (node: Tensor) => Tensor> {
  const readers = readersOf(source);
  const outputs = new Set(source.outputs);
  const better = new Map<Tensor, (node: Tensor) => Tensor>();
  for (const inner of source.nodes) {
    const own = readers.get(inner) ?? [];
    if (inner.op !== "einsum" || outputs.has(inner) || better.has(inner)) continue;
    if (own.length === 0 || !own.every((node) => isOtherFactor(node, inner) && !better.has(node))) continue;
    const orders = own.map((node) => cheaperOrder(chainOf(node, inner)));
    const before = costOf(inner) + own.reduce((sum, node) => sum + costOf(node), 0);
    const after = orders.reduce((sum, { cost }) => sum + cost, 0);
    if (after > WORTHWHILE * before) continue;
    for (const [i, node] of own.entries())
      better.set(node, (now) => inOrder(chainOf(now, now.inputs[node.inputs.indexOf(inner)]!), orders[i]!.first));
  }
  return better;
}

/** Whether a node is a product of `inner` with something else. */
const isOtherFactor = ({ op, inputs }: Tensor, inner: Tensor): boolean =>
  op === "einsum" && inputs[0] !== inputs[1] && inputs.includes(inner);

const specOf = (node: Tensor) => parseEinsum(node.attrs as string); // as einsum takes it
const costOf = (node: Tensor): number => {
  const [x, y] = node.inputs as [Tensor, Tensor];
  return product([...einsumExtents(node.attrs as string, specOf(node), x.shape, y.shape).values()]);
};
const product = (extents: Shape): number => extents.reduce((a, b) => a * b, 1);

function chainOf(node: Tensor, inner: Tensor): Chain {
  const [within, around] = [specOf(inner), specOf(node)];
  const isFirst = node.inputs[0] === inner;
  const [ofInner, ofZ] = isFirst ? [around.x, around.y] : [around.y, around.x];
  // Where `node` calls an axis of `inner` by another name, the inner one holds; its own are told apart.
  const names = new Map(ofInner.map((axis, i) => [axis, within.out[i]!]));
  const named = (axes: readonly string[]) => axes.map((axis) => names.get(axis) ?? `${axis}'`);
  const [p, q] = inner.inputs as [Tensor, Tensor];
  return {
    p: { axes: within.x, tensor: p },
    q: { axes: within.y, tensor: q },
    z: { axes: named(ofZ), tensor: node.inputs[isFirst ? 1 : 0]! },
    out: named(around.out),
  };
}

type First = "p" | "q";
const other = { p: "q", q: "p" } as const;

/** What is left of the axes of z and of its first factor for the second one. */
const between = (chain: Chain, first: First): string[] => {
  const needed = new Set([...chain.out, ...chain[other[first]].axes]);
  return [...new Set([...chain[first].axes, ...chain.z.axes])].filter((axis) => needed.has(axis));
};

function cheaperOrder(chain: Chain): { readonly first: First; readonly cost: number } {
  const extents = new Map(
    [chain.p, chain.q, chain.z].flatMap(({ axes, tensor }) => axes.map((axis, i) => [axis, tensor.shape[i]!] as const)),
  );
  const over = (...axes: readonly (readonly string[])[]) =>
    product([...new Set(axes.flat())].map((axis) => extents.get(axis)!)); // of one of the three
  const costs = (["p", "q"] as const).map((first) => {
    const cost = over(chain[first].axes, chain.z.axes) + over(between(chain, first), chain[other[first]].axes);
    return { first, cost };
  });
  return costs.reduce((a, b) => (b.cost < a.cost ? b : a));
}

function inOrder(chain: Chain, first: First): Tensor {
  const [own, last] = [chain[first], chain[other[first]]];
  const middle = between(chain, first).join(" ");
  const made = einsum(own.tensor, chain.z.tensor, `${own.axes.join(" ")}, ${chain.z.axes.join(" ")} -> ${middle}`);
  return einsum(made, last.tensor, `${middle}, ${last.axes.join(" ")} -> ${chain.out.join(" ")}`);
}
