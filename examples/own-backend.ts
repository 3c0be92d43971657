/*
 * A backend of your own is a driver: it is handed whole graphs, and has to upload, compile, run and read. This one computes matrix products and a few
 * element-wise ops in float32 by loops of its own, and leaves all others to the meaning that each op brings along, so that it is
 * complete from the first line on. Replace one op after the other by what your device does better.
 */
import * as g from "@finegrain/graph";

/** Computes the value of one node of a graph. */
type Kernel = (inputs: readonly g.HostTensor[]) => ArrayLike<number>;

/** f of every pair of elements; an operand that is stretched is read with steps of 0. */
const pairs =
  (f: (x: number, y: number) => number) =>
  ({ inputs: [x, y], shape }: g.Tensor): Kernel => {
    const [xs, ys] = [x!, y!].map((operand) => g.stridedIndices(shape, g.broadcastStrides(operand.shape, shape)));
    return ([x, y]) => Float32Array.from(xs!, (at, i) => f(x!.data[at]!, y!.data[ys![i]!]!));
  };

/** The product of two matrices, or nothing where an einsum is something else. */
function matrixProduct({ inputs: [x, y], attrs }: g.Tensor): Kernel | undefined {
  const { x: xAxes, y: yAxes, out } = g.parseEinsum(attrs as string);
  if (`${xAxes} ${yAxes} ${out}` !== `${out[0]},${yAxes[0]} ${yAxes[0]},${out[1]} ${out[0]},${out[1]}`)
    return undefined;
  const [rows, inner] = x!.shape as [number, number];
  const columns = y!.shape[1]!;
  return ([x, y]) => {
    const product = new Float32Array(rows * columns);
    for (let row = 0; row < rows; row++)
      for (let k = 0; k < inner; k++)
        for (let column = 0, factor = x!.data[row * inner + k]!; column < columns; column++)
          product[row * columns + column]! += factor * y!.data[k * columns + column]!;
    return product;
  };
}

/** What this backend does itself: a table of functions that look at a node once, when its graph is compiled. */
const lowerings: { readonly [K in g.PrimitiveName]?: (node: g.Tensor) => Kernel | undefined } = {
  add: pairs((x, y) => x + y),
  sub: pairs((x, y) => x - y),
  mul: pairs((x, y) => x * y),
  einsum: matrixProduct,
};

function kernelOf(node: g.Tensor): Kernel {
  const own = node.dtype === "float32" ? lowerings[node.op as g.PrimitiveName]?.(node) : undefined;
  return own ?? ((inputs) => g.catalog[node.op as g.PrimitiveName].evaluate(inputs, node.attrs, node));
}

/** What this device does. Values stay on the host here; another driver would keep handles in their place, and free them. */
const driver: g.Driver<g.HostTensor> = {
  name: "own",
  device: { kind: "cpu", description: "this machine", provider: "plain loops" },
  unsupported: new Set(), // what it names is refused, and its tests are skipped by name
  upload: ({ dtype, shape, data }) => g.hostTensor(dtype, shape, data.slice()),
  read: async (value) => ({ ...value, data: value.data.slice() }),
  free() {},
  async compile(graph) {
    const program = g.optimize(graph, new Set()); // no composite is run whole: all that is left is primitives
    const steps = program.nodes.filter(({ op }) => op !== "input").map((node) => ({ node, kernel: kernelOf(node) }));
    return {
      run(inputs) {
        const values = new Map(program.inputs.map((x, i) => [x, inputs[i]!]));
        for (const { node, kernel } of steps)
          values.set(node, g.hostTensor(node.dtype, node.shape, kernel(node.inputs.map((x) => values.get(x)!))));
        return program.outputs.map((x) => values.get(x)!);
      },
      [Symbol.dispose]() {},
    };
  },
  async [Symbol.asyncDispose]() {},
};

/** Buffers, executables and all that can be wrong with them come with `createBackend`. */
export const ownBackend = (): g.Backend => g.createBackend(driver);
