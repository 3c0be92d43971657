import { FinegrainError } from "./errors.ts";
import type { Tensor } from "./tensor.ts";
import { inputName, typeName } from "./tensor.ts";
import { leaves, type Tree } from "./tree.ts";

/**
 * A closed program: a tree of outputs as a function of a tree of inputs. Everything a backend is ever given. Those who run it see the trees,
 * those who compile it the lists of their leaves.
 */
export interface Graph<I = Tree<Tensor>, O = Tree<Tensor>> {
  /** What messages call it: "train step", "decode". */
  readonly name: string;
  readonly takes: I;
  readonly gives: O;
  /** The leaves of `takes`, in the order of their names. */
  readonly inputs: readonly Tensor[];
  /** The leaves of `gives`. */
  readonly outputs: readonly Tensor[];
  /** Every node that the outputs reach, operands before users. Inputs that nothing reads are not among them. */
  readonly nodes: readonly Tensor[];
}

/** A graph whose inputs and outputs are lists. */
export type ListGraph = Graph<readonly Tensor[], readonly Tensor[]>;

/** Nodes reachable from `outputs`, operands first; does not go past `leaves`. */
export function topological(outputs: readonly Tensor[], leaves: ReadonlySet<Tensor> = new Set()): Tensor[] {
  const order: Tensor[] = [];
  const state = new Map<Tensor, "open" | "done">();
  const stack = [...outputs].reverse();
  // An explicit stack: a deep model's chain is longer than JavaScript's call stack.
  while (stack.length > 0) {
    const node = stack.at(-1)!;
    if (state.get(node) === undefined) {
      state.set(node, "open");
      if (!leaves.has(node))
        for (let i = node.inputs.length - 1; i >= 0; i--) if (!state.has(node.inputs[i]!)) stack.push(node.inputs[i]!);
      continue;
    }
    stack.pop();
    if (state.get(node) === "open") order.push(node);
    state.set(node, "done");
  }
  return order;
}

/**
 * Close a graph over its inputs: `graph({ inputs: { parameters, tokens }, outputs: { loss } })`. Inputs and outputs are trees of
 * tensors: objects, lists, or a tensor alone.
 * @throws FinegrainError where an output depends on an input that is not there, or one is there twice.
 */
export function graph<I extends Tree<Tensor>, O extends Tree<Tensor>>({
  name = "graph",
  inputs: takes,
  outputs: gives,
}: {
  name?: string;
  inputs: I;
  outputs: O;
}): Graph<I, O> {
  const given = leaves<Tensor>(takes);
  const inputs = given.map(([, tensor]) => tensor);
  const outputs = leaves<Tensor>(gives).map(([, tensor]) => tensor);
  const nodes = topological(outputs);
  const paths = new Map<Tensor, string>();
  for (const [path, tensor] of given) {
    const other = paths.get(tensor);
    if (other !== undefined)
      throw new FinegrainError(`graph "${name}" lists an input twice, as "${other}" and "${path}"`);
    paths.set(tensor, path);
  }
  const free = nodes.find((node) => node.op === "input" && !paths.has(node));
  if (free)
    throw new FinegrainError(
      `graph "${name}" reads ${inputName(free) ?? "an input"} of ${typeName(free)}, which is not among its inputs`,
    );
  return { name, takes, gives, inputs, outputs, nodes };
}
