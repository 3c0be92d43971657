import type { Graph } from "../graph.ts";
import type { Tensor } from "../tensor.ts";
import { type Replace, rewrite } from "./rewrite.ts";

/**
 * Nodes of the same op, operands and attributes become one. Barriers stay apart: they are there so that a
 * recomputation is not merged with what it recomputes.
 */
export const commonSubexpressions = (graph: Graph): Graph => rewrite(graph, merged());

/** What {@link commonSubexpressions} puts in the place of a node of one graph. */
export function merged(): Replace {
  const numbers = new Map<Tensor, number>();
  const number = (x: Tensor): number => {
    if (!numbers.has(x)) numbers.set(x, numbers.size);
    return numbers.get(x)!;
  };
  const known = new Map<string, Tensor>();
  return (node) => {
    if (node.op === "input" || node.op === "barrier" || hasFunction(node.attrs)) return node;
    const key = `${node.op}(${node.inputs.map(number)})${node.dtype}[${node.shape}]${JSON.stringify(node.attrs)}`;
    const same = known.get(key);
    if (same === undefined) known.set(key, node);
    return same ?? node;
  };
}

const hasFunction = (attrs: unknown): boolean =>
  typeof attrs === "object" && attrs !== null && Object.values(attrs).some((value) => typeof value === "function");
