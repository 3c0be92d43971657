import {
  type Backend,
  type Buffer,
  type HostTensor,
  hostTensor,
  philox,
  type Shape,
  size,
  type TensorType,
} from "@finegrain/graph";
import {
  expectStorage,
  type Init,
  leaves,
  type Param,
  type Params,
  type Storage,
  storedTypes,
  storeWeights,
} from "@finegrain/nn";

/** Numbers that are drawn; a longer tensor repeats them. A prime, so that no row or column of a matrix equals another. */
const PERIOD = 65537;
/** Second counter word of the draws. */
const WEIGHT_DRAW = 0x77656967;

/** Uniform noise of a standard deviation, float32: good for timing, and quick for hundreds of millions of numbers. */
export function repeatedNoise(shape: Shape, deviation: number, seed = 0): HostTensor {
  const data = new Float32Array(size(shape));
  const length = Math.min(PERIOD, data.length);
  const bits = philox([seed, 0], [0, WEIGHT_DRAW], length);
  const reach = deviation * Math.sqrt(3); // of a uniform distribution with that deviation
  for (let k = 0; k < length; k++) data[k] = (bits[k]! / 2 ** 31) * reach;
  for (let filled = length; filled < data.length; filled *= 2) data.copyWithin(filled, 0, filled);
  return hostTensor("float32", shape, data);
}

/** A parameter as large as its initializer would make it, only quicker. */
function quickly({ shape, init }: Param, seed: number): HostTensor {
  if (init.kind !== "constant") return repeatedNoise(shape, deviation(init), seed);
  return hostTensor("float32", shape, new Float32Array(size(shape)).fill(init.value));
}

function deviation(init: Exclude<Init, { kind: "constant" }>): number {
  if (init.kind === "normal") return init.std;
  return init.kind === "uniform" ? init.limit / Math.sqrt(3) : Math.SQRT1_2; // of a sinusoid
}

/** What two weights have in common that are one buffer. */
const keyOf = (path: string, { dtype, shape }: TensorType): string => `${path} ${dtype}[${shape}]`;

/**
 * Random weights on a device, shared by models where their names and shapes agree, so that five variants of a large model
 * fit in memory.
 */
export class WeightPool implements Disposable {
  readonly #backend: Backend;
  readonly #buffers = new Map<string, Buffer>();

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /**
   * The weights of a model as they are stored, by their checkpoint names. They belong to the pool.
   * @throws FinegrainError where the backend cannot keep them so. What was made for them until then is freed.
   */
  of(params: Params, storage: Storage = "float32"): Map<string, Buffer> {
    expectStorage(this.#backend, storage);
    const before = new Set(this.#buffers.keys());
    const weights = new Map<string, Buffer>();
    try {
      for (const [name, parameter] of leaves<Param>(params))
        for (const [path, buffer] of this.#stored(name, parameter, storage, weights.size)) weights.set(path, buffer);
    } catch (error) {
      this.#free([...this.#buffers.keys()].filter((key) => !before.has(key)));
      throw error;
    }
    return weights;
  }

  /** Types of the weights that {@link of} would have to make. */
  missing(params: Params, storage: Storage = "float32"): TensorType[] {
    const types = [...storedTypes(params, storage)];
    return types.filter(([path, type]) => !this.#buffers.has(keyOf(path, type))).map(([, type]) => type);
  }

  /** One parameter: a buffer, and its scales where it has some. */
  #stored(name: string, parameter: Param, storage: Storage, seed: number): [string, Buffer][] {
    const types = [...storedTypes({ [name]: parameter }, storage)];
    if (!types.every(([path, type]) => this.#buffers.has(keyOf(path, type)))) {
      const values = storeWeights({ [name]: parameter }, new Map([[name, quickly(parameter, seed)]]), storage);
      for (const [path, value] of values) this.#buffers.set(keyOf(path, value), this.#backend.upload(value));
    }
    return types.map(([path, type]) => [path, this.#buffers.get(keyOf(path, type))!]);
  }

  #free(keys: readonly string[]): void {
    for (const key of keys) {
      this.#buffers.get(key)![Symbol.dispose](); // the keys are of the map
      this.#buffers.delete(key);
    }
  }

  [Symbol.dispose](): void {
    this.#free([...this.#buffers.keys()]);
  }
}
