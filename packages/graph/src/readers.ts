import type { Tensor } from "./tensor.ts";

/** Of each node that is read, the nodes that read it. */
export function readersOf({ nodes }: { readonly nodes: readonly Tensor[] }): ReadonlyMap<Tensor, readonly Tensor[]> {
  const readers = new Map<Tensor, Tensor[]>();
  for (const node of nodes)
    for (const x of new Set(node.inputs)) {
      const own = readers.get(x);
      if (own) own.push(node);
      else readers.set(x, [node]);
    }
  return readers;
}
