import type { Backend, Graph, HostTensor, ListGraph, OpName, Tensor } from "@finegrain/graph";
import { evaluate } from "@finegrain/graph";
import { expectClose } from "./expect-close.ts";

/** Compile, upload, run once, read, and free. */
export async function runGraph(
  backend: Backend,
  graph: ListGraph,
  values: readonly HostTensor[],
): Promise<HostTensor[]> {
  using executable = await backend.compile(graph);
  const inputs = values.map((value) => backend.upload(value));
  const outputs = executable.run(inputs);
  try {
    return await Promise.all(outputs.map((buffer) => buffer.read()));
  } finally {
    for (const buffer of [...inputs, ...outputs]) buffer[Symbol.dispose]();
  }
}

/** The first op of a graph that a backend declares that it cannot run. */
export const missingOp = (backend: Backend, graph: Graph): Tensor | undefined =>
  graph.nodes.find((node) => backend.unsupported.has(node.op as OpName));

/** Refuse a backend whose outputs are not the reference's. */
export async function expectAgreement(
  backend: Backend,
  graph: ListGraph,
  values: readonly HostTensor[],
  tolerance: number,
): Promise<void> {
  const actual = await runGraph(backend, graph, values);
  evaluate(graph, values).forEach((expected, i) => {
    expectClose(actual[i]!, expected, tolerance);
  });
}
