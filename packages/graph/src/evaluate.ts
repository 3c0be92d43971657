import type { Backend, Buffer } from "./backend/backend.ts";
import { catalog, type OpName } from "./catalog.ts";
import { FinegrainError } from "./errors.ts";
import type { Graph } from "./graph.ts";
import { decompose } from "./passes/decompose.ts";
import type { HostTensor, Tensor, TensorType } from "./tensor.ts";
import { sameShape, size, typeName } from "./tensor.ts";

/**
 * Interpret `graph` with each primitive's `evaluate`, floats in float64. Slow, obvious, and by definition correct.
 * @throws FinegrainError where the inputs are not of the graph's types.
 */
export const evaluate = (graph: Graph, inputs: readonly HostTensor[]): HostTensor[] =>
  interpret(decompose(graph), inputs);

function interpret(graph: Graph, inputs: readonly HostTensor[]): HostTensor[] {
  checkInputs(graph, inputs);
  const values = new Map<Tensor, HostTensor>(graph.inputs.map((tensor, i) => [tensor, inputs[i]!]));
  for (const node of graph.nodes) {
    if (values.has(node)) continue;
    const op = catalog[node.op as OpName];
    if (!("evaluate" in op)) throw new FinegrainError(`${node.op} is not a primitive`);
    const operands = node.inputs.map((x) => values.get(x)!);
    values.set(node, store(node, op.evaluate(operands, node.attrs, node)));
  }
  return graph.outputs.map((tensor) => values.get(tensor)!);
}

/**
 * Refuse values that are not what a graph takes.
 * @throws FinegrainError that names the graph, the input and both types.
 */
export function checkInputs(graph: Graph, inputs: readonly TensorType[]): void {
  if (inputs.length !== graph.inputs.length)
    throw new FinegrainError(`graph "${graph.name}" takes ${graph.inputs.length} inputs, not ${inputs.length}`);
  graph.inputs.forEach((expected, i) => {
    const given = inputs[i]!;
    if (given.dtype !== expected.dtype || !sameShape(given.shape, expected.shape))
      throw new FinegrainError(
        `input ${i} of graph "${graph.name}" is ${typeName(given)}, expected ${typeName(expected)}`,
      );
  });
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

const resident = (value: HostTensor): Buffer & { readonly value: HostTensor } => ({
  type: { dtype: value.dtype, shape: value.shape },
  value,
  read: async () => value,
  [Symbol.dispose]() {},
});

/** The oracle as a backend: float64 on the host. For tests and for small things; never the default. */
export const referenceBackend = (): Backend => ({
  name: "reference",
  device: {
    kind: "reference",
    description: "plain loops in float64",
    provider: `node ${globalThis.process?.version ?? ""}`.trim(),
  },
  unsupported: new Set(),
  storage: new Set(["float16", "int8"]),
  upload: (value) => resident({ ...value, data: value.data.slice() }),
  async compile(graph) {
    const program = decompose(graph);
    return {
      // Every buffer of this backend was made by `resident` above.
      run: (inputs) =>
        interpret(
          program,
          inputs.map((buffer) => (buffer as ReturnType<typeof resident>).value),
        ).map(resident),
      [Symbol.dispose]() {},
    };
  },
  async [Symbol.asyncDispose]() {},
});
