import { catalog, type OpName } from "../catalog.ts";
import type { Graph } from "../graph.ts";
import { constant } from "../ops/constant.ts";
import type { HostTensor, Tensor } from "../tensor.ts";
import { expectComputeDType, size } from "../tensor.ts";
import { type Replace, rewrite } from "./rewrite.ts";

/** Larger results stay computed: a graph should not carry tables. */
const LARGEST = 64;

const value = (node: Tensor): HostTensor => {
  const { data } = node.attrs as { data: readonly number[] }; // the attributes of a constant
  const array = node.dtype === "float32" ? Float64Array : node.dtype === "int32" ? Int32Array : Uint8Array;
  return { dtype: node.dtype, shape: node.shape, data: array.from(data) };
};

/** Primitives of constants alone become constants, as the reference computes them, where the result is small. */
export const foldConstants = (graph: Graph): Graph => rewrite(graph, folded);

/** What {@link foldConstants} puts in the place of a node. */
export const folded: Replace = (node) => {
  if (node.op === "input" || node.op === "constant" || size(node.shape) > LARGEST) return node;
  if (node.inputs.length === 0 || node.inputs.some((x) => x.op !== "constant")) return node;
  const op = catalog[node.op as OpName];
  if (op === undefined || !("evaluate" in op) || node.op === "barrier") return node;
  const data = op.evaluate(node.inputs.map(value), node.attrs, node) as ArrayLike<number>;
  return constant({ dtype: expectComputeDType("a constant", node), shape: [...node.shape], data: Array.from(data) });
};
