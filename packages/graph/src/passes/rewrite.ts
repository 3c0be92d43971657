import { atOnce, type Turns } from "../backend/turn.ts";
import { type Graph, graph } from "../graph.ts";
import type { Tensor } from "../tensor.ts";
import { mapTree } from "../tree.ts";

/** The node over other operands: itself where none changed. */
export const withInputs = (node: Tensor, inputs: readonly Tensor[]): Tensor =>
  inputs.every((x, i) => x === node.inputs[i]) ? node : { ...node, inputs };

/** What stands in the place of a node, which is given over the operands that replaced its own, and as it was. */
export type Replace = (node: Tensor, original: Tensor) => Tensor;

/** Rebuild a graph from its inputs to its outputs. Inputs stay as they are; what the outputs no longer reach is gone. */
export const rewrite = (source: Graph, replace: Replace): Graph => atOnce(rewriting(source, replace));

/** The same, with a step for every node. */
export function* rewriting(source: Graph, replace: Replace): Turns<Graph> {
  const replaced = new Map<Tensor, Tensor>(source.inputs.map((x) => [x, x]));
  for (const node of source.nodes) {
    if (replaced.has(node)) continue;
    replaced.set(
      node,
      replace(
        withInputs(
          node,
          node.inputs.map((x) => replaced.get(x)!),
        ),
        node,
      ),
    );
    yield;
  }
  const gives = mapTree<Tensor, Tensor>(source.gives, (x) => replaced.get(x)!);
  return graph({ name: source.name, inputs: source.takes, outputs: gives });
}
