import { type Graph, graph } from "../graph.ts";
import type { Tensor } from "../tensor.ts";
import { mapTree } from "../tree.ts";

/** The node over other operands: itself where none changed. */
export const withInputs = (node: Tensor, inputs: readonly Tensor[]): Tensor =>
  inputs.every((x, i) => x === node.inputs[i]) ? node : { ...node, inputs };

/**
 * Rebuild a graph from its inputs to its outputs. `replace` is given each node over the operands that replaced its
 * own, and returns what stands in its place. Inputs stay as they are; what the outputs no longer reach is gone.
 */
export function rewrite(source: Graph, replace: (node: Tensor) => Tensor): Graph {
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
      ),
    );
  }
  const gives = mapTree<Tensor, Tensor>(source.gives, (x) => replaced.get(x)!);
  return graph({ name: source.name, inputs: source.takes, outputs: gives });
}
