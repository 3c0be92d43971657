import { FinegrainError } from "./errors.ts";
import type { Tensor } from "./tensor.ts";
import { inputName, typeName } from "./tensor.ts";

/** A closed program: `outputs` as a function of `inputs`. Everything a backend is ever given. */
export interface Graph {
  /** What messages call it: "train step", "decode". */
  readonly name: string;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  /** Every node that the outputs reach, operands before users. Inputs that nothing reads are not among them. */
  readonly nodes: readonly Tensor[];
}

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
 * Close a graph over its inputs.
 * @throws FinegrainError where an output depends on an input that is not listed, or one is listed twice.
 */
export function graph({
  name = "graph",
  inputs,
  outputs,
}: {
  name?: string;
  inputs: readonly Tensor[];
  outputs: readonly Tensor[];
}): Graph {
  const nodes = topological(outputs);
  const listed = new Set(inputs);
  if (listed.size < inputs.length) throw new FinegrainError(`graph "${name}" lists an input twice`);
  const free = nodes.find((node) => node.op === "input" && !listed.has(node));
  if (free)
    throw new FinegrainError(
      `graph "${name}" reads ${inputName(free) ?? "an input"} of ${typeName(free)}, which is not among its inputs`,
    );
  return { name, inputs, outputs, nodes };
}
