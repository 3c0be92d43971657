import { catalog, type OpName } from "./catalog.ts";
import { FinegrainError } from "./errors.ts";
import type { Graph } from "./graph.ts";
import type { Tensor } from "./tensor.ts";
import { sameShape, typeName } from "./tensor.ts";

/**
 * The specification of a well-formed graph, run after every pass: operands come before their users, every op is in
 * the catalog, and every type is the one that its op infers.
 * @throws FinegrainError that names the graph and the first node that breaks a rule.
 */
export function verify(graph: Graph): Graph {
  const seen = new Set<Tensor>(graph.inputs);
  for (const node of graph.nodes) {
    const fail = (what: string): never => {
      throw new FinegrainError(`graph "${graph.name}": ${node.op} of ${typeName(node)} ${what}`);
    };
    if (node.op === "input") {
      if (!seen.has(node)) fail("is not among the graph's inputs");
      continue;
    }
    const op = catalog[node.op as OpName] ?? fail("is not an op");
    if (!node.inputs.every((x) => seen.has(x))) fail("comes before one of its operands");
    const { dtype, shape } = op.infer(node.inputs, node.attrs);
    if (dtype !== node.dtype || !sameShape(shape, node.shape)) fail(`should be ${typeName({ dtype, shape })}`);
    seen.add(node);
  }
  const missing = graph.outputs.find((x) => !seen.has(x));
  if (missing)
    throw new FinegrainError(`graph "${graph.name}": output ${missing.op} of ${typeName(missing)} is not computed`);
  return graph;
}
