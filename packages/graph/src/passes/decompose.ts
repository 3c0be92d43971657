import { type CompositeName, catalog, type OpName } from "../catalog.ts";
import { type Graph, topological } from "../graph.ts";
import type { Tensor } from "../tensor.ts";
import { type Replace, rewrite, withInputs } from "./rewrite.ts";

/** Replace every composite by its decomposition, and the composites in that, except those that `keep` names. */
export const decompose = (graph: Graph, keep?: ReadonlySet<CompositeName>): Graph => rewrite(graph, decomposed(keep));

/** What {@link decompose} puts in the place of a node. */
export const decomposed = (keep: ReadonlySet<CompositeName> = new Set()): Replace =>
  decomposedUnless((node) => keep.has(node.op as CompositeName));

/** The same, where `stays` says of a composite whether it is kept. */
export function decomposedUnless(stays: (node: Tensor) => boolean): Replace {
  const expand = (node: Tensor): Tensor => {
    const result = stays(node) ? undefined : decompositionOf(node);
    if (result === undefined) return node;
    const inner = new Map<Tensor, Tensor>(node.inputs.map((x) => [x, x]));
    for (const part of topological([result], new Set(node.inputs)))
      if (!inner.has(part))
        inner.set(
          part,
          expand(
            withInputs(
              part,
              part.inputs.map((x) => inner.get(x)!),
            ),
          ),
        );
    return inner.get(result)!;
  };
  return expand;
}

/** A composite in other ops; undefined for a primitive or an input. */
export function decompositionOf({ op: name, inputs, attrs }: Tensor): Tensor | undefined {
  const op = catalog[name as OpName];
  return op !== undefined && "decompose" in op ? op.decompose(inputs, attrs) : undefined;
}
