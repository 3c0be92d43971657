import type { Backend } from "./backend/backend.ts";
import { createBackend } from "./backend/create-backend.ts";
import type { DeviceProgram, Driver, DriverOptions } from "./backend/driver.ts";
import { atOnce, inTurns, type Turns } from "./backend/turn.ts";
import { catalog, type OpName } from "./catalog.ts";
import { FinegrainError } from "./errors.ts";
import type { Graph } from "./graph.ts";
import { decompose, decomposed } from "./passes/decompose.ts";
import { rewriting } from "./passes/rewrite.ts";
import type { HostTensor, Tensor, TensorType } from "./tensor.ts";
import { sameType, size, typeName } from "./tensor.ts";
import { type Like, Outline } from "./tree.ts";

/**
 * Interpret `graph` with each primitive's `evaluate`, floats in float64. Slow, obvious, and by definition correct.
 * @param inputs a tree like the graph's. @returns one like its outputs.
 * @throws FinegrainError where an input is missing or not of the graph's type.
 */
export function evaluate<I, O>(graph: Graph<I, O>, inputs: Like<I, HostTensor>): Like<O, HostTensor> {
  const takes = new Outline(graph.takes);
  const values = takes.list<HostTensor>(inputs, `graph "${graph.name}"`);
  for (const [i, expected] of graph.inputs.entries())
    if (!sameType(values[i]!, expected))
      throw new FinegrainError(
        `input ${takes.paths[i]} of graph "${graph.name}" is ${typeName(values[i]!)}, expected ${typeName(expected)}`,
      );
  const program = decompose(graph as unknown as Graph); // its passes see the lists
  return new Outline(graph.gives).tree(atOnce(interpret(program, values)));
}

/** A turn for every op. */
function* interpret(graph: Graph, inputs: readonly HostTensor[]): Turns<readonly HostTensor[]> {
  const values = new Map<Tensor, HostTensor>(graph.inputs.map((tensor, i) => [tensor, inputs[i]!]));
  for (const node of graph.nodes) {
    if (values.has(node)) continue;
    const op = catalog[node.op as OpName];
    if (!("evaluate" in op)) throw new FinegrainError(`${node.op} is not a primitive`);
    const operands = node.inputs.map((x) => values.get(x)!);
    values.set(node, store(node, op.evaluate(operands, node.attrs, node)));
    yield;
  }
  return graph.outputs.map((tensor) => values.get(tensor)!);
}

const arrays = {
  float32: Float64Array,
  int32: Int32Array,
  bool: Uint8Array,
  float16: Uint16Array,
  int8: Int8Array,
} as const;

function store({ dtype, shape }: TensorType, data: ArrayLike<number>): HostTensor {
  const array = arrays[dtype];
  if (data.length !== size(shape)) throw new FinegrainError(`${data.length} numbers for ${typeName({ dtype, shape })}`);
  return { dtype, shape, data: data instanceof array ? data : array.from(data) };
}

/**
 * The oracle as a backend: float64 on the host. For tests and for small things; never the default. A large op holds its thread, which in a page
 * has to be a worker's then.
 */
export const referenceBackend = (): Backend => createBackend(referenceDriver());

/** A driver whose runs are sure to come in turns. */
interface ReferenceDriver extends Driver<HostTensor> {
  compile(graph: Graph, options: DriverOptions): Promise<ReferenceProgram>;
}

interface ReferenceProgram extends DeviceProgram<HostTensor> {
  run(inputs: readonly HostTensor[]): Turns<readonly HostTensor[]>;
}

/** What is behind {@link referenceBackend}: for a backend that counts, or rounds, or fails. */
export const referenceDriver = (): ReferenceDriver => ({
  name: "reference",
  device: {
    kind: "reference",
    description: "plain loops in float64",
    provider: `node ${globalThis.process?.version ?? ""}`.trim(),
  },
  unsupported: new Set(),
  storage: new Set(["float16", "int8", "int4"]),
  upload: (value) => ({ ...value, data: value.data.slice() }),
  read: async (value) => value,
  free() {},
  async compile(graph) {
    const program = await inTurns(rewriting(graph, decomposed()));
    return { run: (inputs) => interpret(program, inputs), [Symbol.dispose]() {} };
  },
  async [Symbol.asyncDispose]() {},
});
