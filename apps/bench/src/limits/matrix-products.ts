import {
  type Backend,
  type Buffer,
  type Compiled,
  decompose,
  einsum,
  einsumExtents,
  type Graph,
  graph,
  input,
  type ListGraph,
  parseEinsum,
  reshape,
  slice,
  type Tensor,
} from "@finegrain/graph";
import { repeatedNoise } from "../cases/random-weights.ts";
import { holding } from "../measure/holding.ts";

/** A batched matrix product [batch, m, k] x [batch, k, n]. */
export interface MatrixProduct {
  readonly batch: number;
  readonly m: number;
  readonly k: number;
  readonly n: number;
}

export const flops = ({ batch, m, k, n }: MatrixProduct): number => 2 * batch * m * k * n;

/** Every einsum of a graph, those inside composites included, as the matrix product that it is. */
export function matrixProducts(program: Graph): MatrixProduct[] {
  return decompose(program)
    .nodes.filter(({ op }) => op === "einsum")
    .map(({ attrs, inputs: [x, y] }) => {
      const text = attrs as string; // einsum's attributes are its specification
      const spec = parseEinsum(text);
      const extents = einsumExtents(text, spec, x!.shape, y!.shape);
      const product = (axes: readonly string[]) => axes.reduce((n, axis) => n * extents.get(axis)!, 1);
      return { batch: product(spec.batch), m: product(spec.rows), k: product(spec.summed), n: product(spec.columns) };
    });
}

/** Products that a backend is ready to run, alone. */
export interface ProductRun extends Disposable {
  readonly flops: number;
  /** Run them all once. @returns seconds. */
  run(): Promise<number>;
}

/**
 * One graph of nothing but `products`, in their plain layout, so that the backend shows the best rate it has for these
 * shapes. Only one element of each result leaves the graph; no two products have the same operands, so that none is saved.
 */
export async function prepareProducts(backend: Backend, products: readonly MatrixProduct[]): Promise<ProductRun> {
  const pool = new OperandPool();
  const outputs = products.map(({ batch, m, k, n }) => {
    const [x, y] = pool.pair([batch, m, k], [batch, k, n]);
    const result = reshape(einsum(x, y, "B M K, B K N -> B M N"), [batch * m * n]);
    return slice(result, { starts: [0], ends: [1] });
  });
  const program = graph({ name: "matrix products alone", inputs: pool.inputs, outputs });
  return holding(async (held) => {
    const executable = held.add(await backend.compile(program));
    const buffers = pool.inputs.map(({ shape }, seed) => held.add(backend.upload(repeatedNoise(shape, 0.1, seed))));
    return productRun(executable, buffers, products, held);
  });
}

function productRun(
  executable: Compiled<ListGraph>,
  buffers: readonly Buffer[],
  products: readonly MatrixProduct[],
  held: Disposable,
): ProductRun {
  return {
    flops: products.reduce((sum, product) => sum + flops(product), 0),
    async run() {
      const started = performance.now();
      const results = executable.run(buffers);
      for (const result of results) await result.read();
      const seconds = (performance.now() - started) / 1000;
      for (const result of results) result[Symbol.dispose]();
      return seconds;
    },
    [Symbol.dispose]: () => held[Symbol.dispose](),
  };
}

/** Inputs by shape, made as they are needed, of which no pair is handed out twice. */
class OperandPool {
  readonly inputs: Tensor[] = [];
  readonly #used = new Set<string>();

  pair(left: readonly number[], right: readonly number[]): [Tensor, Tensor] {
    for (let most = 1; ; most++) {
      for (let i = 0; i < most; i++) {
        for (let j = 0; j < most; j++) {
          const key = `${left} ${right} ${i} ${j}`;
          if (this.#used.has(key)) continue;
          this.#used.add(key);
          return [this.#operand(left, i), this.#operand(right, j)];
        }
      }
    }
  }

  /** The operand number `index` of a shape. */
  #operand(shape: readonly number[], index: number): Tensor {
    const same = this.inputs.filter((x) => String(x.shape) === String(shape));
    if (same[index]) return same[index];
    const operand = input(shape, "float32", `operand ${this.inputs.length}`);
    this.inputs.push(operand);
    return operand;
  }
}
