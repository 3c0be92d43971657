import { type CompositeName, catalog, type OpName } from "../catalog.ts";
import { type Graph, topological } from "../graph.ts";
import type { Tensor } from "../tensor.ts";
import { type Replace, rewrite, withInputs } from "./rewrite.ts";

/** Replace every composite by its decomposition, and the composites in that, except those that `keep` names. */
export const decompose = (graph: Graph, keep?: ReadonlySet<CompositeName>): Graph => rewrite(graph, decomposed(keep));

/** What {@link decompose} puts in the place of a node. */
export function decomposed(keep: ReadonlySet<CompositeName> = new Set()): Replace {
  const expand = (node: Tensor): Tensor => {
    const op = catalog[node.op as OpName];
    if (op === undefined || !("decompose" in op) || keep.has(node.op as CompositeName)) return node;
    const result = op.decompose(node.inputs, node.attrs);
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
