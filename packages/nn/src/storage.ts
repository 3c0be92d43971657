import {
  atOnce,
  type Backend,
  type Buffer,
  cast,
  FinegrainError,
  type HostTensor,
  hostTensor,
  input,
  mul,
  type Shape,
  type StorageDType,
  size,
  type Tensor,
  type TensorType,
  type Turns,
  toFloat16,
} from "@finegrain/graph";
import { type Like, leaves, mapParams, type Param, type Params, paramTypes } from "./layer.ts";
import { matchTensors } from "./safetensors/index.ts";

/** What a model's weights are kept in for decoding and evaluation. */
export type Storage = "float32" | StorageDType;

/** Smaller weights stay float32: they are little of what is read, and many of them are added, not multiplied. */
const SMALLEST = 2 ** 16;
/** Of an int8: the largest magnitude that has a negative. */
const LARGEST_INT8 = 127;

const isNarrow = ({ shape }: { readonly shape: Shape }, storage: Storage): storage is StorageDType =>
  storage !== "float32" && shape.length >= 2 && size(shape) > SMALLEST;
const scalePath = (path: string): string => `${path}.scale`;

/**
 * Types of a model's weights as they are stored, by path. A matrix of more than 65,536 numbers is float16, or int8 with a float32
 * scale for every row, `PATH.scale` [rows, 1...]; everything else is float32.
 */
export function storedTypes(params: Params, storage: Storage): Map<string, TensorType> {
  return new Map(
    leaves<Param>(params).flatMap(([path, { shape }]): [string, TensorType][] => {
      if (!isNarrow({ shape }, storage)) return [[path, { dtype: "float32", shape }]];
      const narrow: [string, TensorType] = [path, { dtype: storage, shape }];
      return storage === "int8" ? [narrow, [scalePath(path), scaleType(shape)]] : [narrow];
    }),
  );
}

const scaleType = (shape: Shape): TensorType => ({
  dtype: "float32",
  shape: shape.map((extent, axis) => (axis === 0 ? extent : 1)),
});

/**
 * Weights as they are stored: a value for every entry of {@link storedTypes}. int8 is round(w / scale), where a row's scale is
 * its largest magnitude over 127.
 *
 * @param weights float32, by path, one for every parameter.
 */
export const storeWeights = (weights: ReadonlyMap<string, HostTensor>, storage: Storage): Map<string, HostTensor> =>
  new Map([...weights].flatMap(([path, value]) => stored(path, value, storage)));

function stored(path: string, value: HostTensor, storage: Storage): [path: string, value: HostTensor][] {
  if (!isNarrow(value, storage)) return [[path, value]];
  if (storage === "float16")
    return [[path, hostTensor("float16", value.shape, Uint16Array.from(value.data, toFloat16))]];
  const { quantized, scale } = quantize(value);
  return [
    [path, quantized],
    [scalePath(path), scale],
  ];
}

/**
 * A model's weights on a device as they are stored, in the order of {@link storedTypes}. Values are stored and copied there, buffers
 * are taken as they are.
 *
 * @throws FinegrainError where the weights are not the model's, or the backend cannot keep them so.
 */
export const uploadWeights = (...given: Parameters<typeof uploadingWeights>): Map<string, Buffer> =>
  atOnce(uploadingWeights(...given));

/** The same, with a step for every weight. */
export function* uploadingWeights(
  backend: Backend,
  { params }: { readonly params: Params },
  weights: ReadonlyMap<string, HostTensor> | ReadonlyMap<string, Buffer>,
  storage: Storage,
): Turns<Map<string, Buffer>> {
  expectStorage(backend, storage);
  const given = new Map<string, HostTensor | Buffer>(weights);
  const typeOf = (value: HostTensor | Buffer): TensorType => (isBuffer(value) ? value.type : value);
  const resident = [...given.values()].some(isBuffer);
  const expected = resident ? storedTypes(params, storage) : paramTypes(params);
  matchTensors(new Map([...given].map(([path, value]) => [path, typeOf(value)])), expected, "the set of weights");
  const buffers = new Map<string, Buffer>();
  for (const path of expected.keys()) {
    const value = given.get(path)!; // matched above
    if (isBuffer(value)) buffers.set(path, value);
    else for (const [own, kept] of stored(path, value, storage)) buffers.set(own, backend.upload(kept));
    yield;
  }
  return buffers;
}

/** @throws FinegrainError where the backend cannot keep weights so. */
export function expectStorage(backend: Backend, storage: Storage): void {
  if (storage !== "float32" && !backend.storage?.has(storage))
    throw new FinegrainError(`${backend.name} keeps weights in float32 alone, not in ${storage}`);
}

const isBuffer = (value: HostTensor | Buffer): value is Buffer => "read" in value;

function quantize({ shape, data }: HostTensor): { quantized: HostTensor; scale: HostTensor } {
  const rows = shape[0]!;
  const width = data.length / rows;
  const quantized = new Int8Array(data.length);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    let largest = 0;
    for (let k = row * width; k < (row + 1) * width; k++) largest = Math.max(largest, Math.abs(data[k]!));
    const scale = Math.fround(largest / LARGEST_INT8);
    scales[row] = scale;
    if (scale > 0) for (let k = row * width; k < (row + 1) * width; k++) quantized[k] = Math.round(data[k]! / scale);
  }
  return {
    quantized: hostTensor("int8", shape, quantized),
    scale: hostTensor("float32", scaleType(shape).shape, scales),
  };
}

/**
 * A model's weights in a graph: the inputs as they are stored, by the paths of {@link storedTypes}, and the float32 tensors that its
 * layers compute with.
 */
export function traceWeights<P extends Params>(
  params: P,
  storage: Storage,
): { readonly weights: Like<P, Tensor>; readonly stored: Record<string, Tensor> } {
  const stored = Object.fromEntries(
    [...storedTypes(params, storage)].map(([path, { dtype, shape }]) => [path, input(shape, dtype, path)]),
  );
  const weights = mapParams(params, ({ shape }, path): Tensor => {
    const own = stored[path]!; // every parameter is stored
    if (!isNarrow({ shape }, storage)) return own;
    const value = cast(own, "float32");
    return storage === "int8" ? mul(value, stored[scalePath(path)]!) : value;
  });
  return { weights, stored };
}
