import { catalog } from "./catalog.ts";
import { type Cost, elementwiseCost } from "./cost.ts";
import { isDequantized } from "./dequantized.ts";
import type { Graph } from "./graph.ts";
import { readersOf } from "./readers.ts";
import type { Tensor } from "./tensor.ts";
import { byteSize, size } from "./tensor.ts";

const sum = (costs: readonly Cost[]): Cost =>
  costs.reduce((a, b) => ({ flops: a.flops + b.flops, bytes: a.bytes + b.bytes }), { flops: 0, bytes: 0 });

/** Cost of one node; a composite without a rule of its own costs an operation an element. */
export function nodeCost(node: Tensor): Cost {
  if (node.op === "input" || node.op === "constant") return { flops: 0, bytes: 0 };
  const op = catalog[node.op as keyof typeof catalog];
  return op.cost?.(node.inputs, node.attrs, node) ?? elementwiseCost(node.inputs, node);
}

/** Arithmetic and traffic of one run, every node on its own: an upper bound that fusion improves on. */
export const cost = (graph: Graph): Cost => sum(graph.nodes.map(nodeCost));

const rowReaders = new Set(["gather", "dynamicSlice"]);
const views = new Set(["reshape", "stopGradient", "barrier"]);

/**
 * Bytes that one run has to read of its inputs, in a decode step the bytes a token. An input that only gathers and
 * slices read counts the rows they take; one that is only overwritten in part (a cache's `updateSlice`) counts as
 * read whole once, by the attention behind it.
 */
export function bytesRead(graph: Graph): number {
  const readers = readersOf(graph);
  /** The part of x that is read. */
  const share = (x: Tensor): number => {
    let read = 0;
    for (const reader of readers.get(x) ?? []) {
      if (rowReaders.has(reader.op) && reader.inputs[0] === x) read += size(reader.shape) / Math.max(1, size(x.shape));
      else if (views.has(reader.op) || isDequantized(reader)) read += share(reader);
      else return 1;
    }
    return Math.min(read, 1);
  };
  return graph.inputs.reduce((bytes, x) => bytes + share(x) * byteSize(x), 0);
}
