import { FinegrainError } from "../errors.ts";
import type { Graph } from "../graph.ts";
import { sameType, type Tensor, typeName } from "../tensor.ts";
import { leaves } from "../tree.ts";
import type { Donation } from "./backend.ts";

/** Donations by their places in the lists of a graph's inputs and outputs. */
export type Donations = readonly (readonly [input: number, output: number])[];

/**
 * The places of what is donated by path.
 * @throws FinegrainError where a path has nothing in the graph, the types do not fit, or an input or output is there twice.
 */
export function donations(graph: Graph, donate: readonly Donation[]): Donations {
  const inputs = leaves<Tensor>(graph.takes);
  const outputs = new Map(
    leaves<Tensor>(graph.gives).map(([path, { dtype, shape }], i) => [path, { i, dtype, shape }]),
  );
  const pairs = donate.flatMap((donation) => {
    const [from, to] = typeof donation === "string" ? [donation, donation] : donation;
    const found = inputs.flatMap(([path, tensor], i) => {
      const rest = restOf(path, from);
      if (rest === undefined) return [];
      const target = to + rest;
      const output = outputs.get(target);
      if (output === undefined || !sameType(tensor, output))
        throw new FinegrainError(
          `graph "${graph.name}" cannot donate "${path}", which is ${typeName(tensor)}, to "${target}", which is ${output ? typeName(output) : "no output"}`,
        );
      return [[i, output.i] as const];
    });
    if (found.length === 0 && !isBranch(graph.takes, from))
      throw new FinegrainError(`graph "${graph.name}" has no input "${from}" to donate`);
    return found;
  });
  if (new Set(pairs.map(([input]) => input)).size < pairs.length)
    throw new FinegrainError(`graph "${graph.name}" donates an input to more than one output`);
  if (new Set(pairs.map(([, output]) => output)).size < pairs.length)
    throw new FinegrainError(`graph "${graph.name}" donates more than one input to an output`);
  return pairs;
}

/** Whether a path is of a branch, which may have nothing below it: a model without caches donates none. */
const isBranch = (tree: unknown, path: string): boolean =>
  path.split(".").reduce<unknown>((branch, name) => (branch as Record<string, unknown> | undefined)?.[name], tree) !==
  undefined;

/** What a path has behind the path of a branch, or undefined where it is not below it. */
function restOf(path: string, branch: string): string | undefined {
  if (path === branch) return "";
  return path.startsWith(`${branch}.`) ? path.slice(branch.length) : undefined;
}
