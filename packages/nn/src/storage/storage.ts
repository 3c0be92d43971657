import {
  atOnce,
  type Backend,
  type Buffer,
  FinegrainError,
  type Graph,
  type HostTensor,
  input,
  inTurns,
  int4Products,
  type StorageKind,
  sameShape,
  size,
  type Tensor,
  type TensorType,
  type Turns,
} from "@finegrain/graph";
import { type Like, leaves, mapParams, type Param, type Params, paramTypes } from "../layer.ts";
import { matchTensors } from "../safetensors/index.ts";
import { float16 } from "./float16.ts";
import type { Form, Parts } from "./form.ts";
import { int4 } from "./int4.ts";
import { int8 } from "./int8.ts";

/** What a model's weights are kept in for decoding and evaluation. */
export type Storage = "float32" | StorageKind;

const forms: Readonly<Record<StorageKind, Form>> = { float16, int8, int4 };

export const storages: readonly Storage[] = ["float32", ...(Object.keys(forms) as StorageKind[])];

/** Smaller weights stay float32: they are little of what is read, and many of them are added, not multiplied. */
const SMALLEST = 2 ** 16;

/** How a weight is kept; undefined where as it is. */
function formOf(parameter: Param, storage: Storage): Form | undefined {
  if (storage === "float32" || parameter.shape.length < 2 || size(parameter.shape) <= SMALLEST) return undefined;
  const form = forms[storage];
  return form.fits?.(parameter) === false ? undefined : form;
}

/**
 * Types of a model's weights as they are stored, by path. A matrix of more than 65,536 numbers is in the storage's form: float16; int8 with a
 * float32 scale for every row, `PATH.scale` [rows, 1...]; or int4, int32 words with float16 `PATH.scale` and `PATH.min` for every 32 weights, where
 * they are a multiple of that. Everything else is float32.
 */
export const storedTypes = (params: Params, storage: Storage): Map<string, TensorType> =>
  new Map(
    leaves<Param>(params).flatMap(([path, parameter]) => {
      const { shape } = parameter;
      return under(path, formOf(parameter, storage)?.types(parameter) ?? { "": { dtype: "float32", shape } });
    }),
  );

const under = <V>(path: string, parts: Parts<V>): [path: string, part: V][] =>
  Object.entries(parts).map(([end, part]) => [path + end, part]);

/**
 * Weights as they are stored: a value for every entry of {@link storedTypes}.
 *
 * @param weights float32, by path, one for every parameter.
 */
export const storeWeights = (
  params: Params,
  weights: ReadonlyMap<string, HostTensor>,
  storage: Storage,
): Map<string, HostTensor> =>
  new Map(
    leaves<Param>(params).flatMap(([path, parameter]) => stored(path, weights.get(path)!, parameter, storage)), // one for each
  );

const stored = (path: string, value: HostTensor, parameter: Param, storage: Storage): [string, HostTensor][] =>
  under(path, formOf(parameter, storage)?.store(value, parameter) ?? { "": value });

/** A weight that is elsewhere, as in a file, until it is read. */
export interface DistantWeight {
  /** Float32, of the parameter's shape. */
  readonly type: TensorType;
  read(): Promise<HostTensor>;
  /** Its parts in a storage's form, by what their paths end in; undefined where it does not lie so already. */
  readStored?(storage: StorageKind): Promise<Parts<HostTensor> | undefined>;
}

type NearWeights = ReadonlyMap<string, HostTensor> | ReadonlyMap<string, Buffer>;

/**
 * A model's weights by path: float32 values, buffers on a device in the types of {@link storedTypes}, or where they can be read.
 */
export type ModelWeights = NearWeights | ReadonlyMap<string, DistantWeight>;

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
  weights: NearWeights,
  storage: Storage,
): Turns<Map<string, Buffer>> {
  expectStorage(backend, storage);
  const given = new Map<string, HostTensor | Buffer>(weights);
  const typeOf = (value: HostTensor | Buffer): TensorType => (isBuffer(value) ? value.type : value);
  const resident = [...given.values()].some(isBuffer);
  const expected = resident ? storedTypes(params, storage) : paramTypes(params);
  matchTensors(new Map([...given].map(([path, value]) => [path, typeOf(value)])), expected, "the set of weights");
  const buffers = new Map<string, Buffer>();
  for (const [path, parameter] of leaves<Param>(params)) {
    const value = given.get(path)!; // matched above
    if (!isBuffer(value))
      for (const [own, kept] of stored(path, value, parameter, storage)) buffers.set(own, backend.upload(kept));
    yield;
  }
  if (resident) for (const path of expected.keys()) buffers.set(path, given.get(path) as Buffer); // all of them are
  return buffers;
}

/** @throws FinegrainError where the backend cannot keep weights so. */
export function expectStorage(backend: Backend, storage: Storage): void {
  if (storage !== "float32" && !backend.storage?.has(storage))
    throw new FinegrainError(`${backend.name} keeps weights in float32 alone, not in ${storage}`);
}

const isBuffer = (value: HostTensor | DistantWeight | Buffer): value is Buffer => Symbol.dispose in value;
const isDistant = (value: HostTensor | DistantWeight | Buffer): value is DistantWeight =>
  "read" in value && !isBuffer(value);

/**
 * A model's weights on a device as {@link uploadWeights} puts them there, wherever they are: distant ones are read one after the other, and
 * are in memory only until each is on the device.
 *
 * @throws FinegrainError as `uploadWeights` does, and where a weight cannot be read. What is on the device by then is freed.
 */
export async function loadWeights(
  backend: Backend,
  model: { readonly params: Params },
  weights: ModelWeights,
  storage: Storage,
): Promise<Map<string, Buffer>> {
  const distant = [...weights].filter((entry): entry is [string, DistantWeight] => isDistant(entry[1]));
  if (distant.length === 0) return inTurns(uploadingWeights(backend, model, weights as NearWeights, storage)); // none is distant
  expectStorage(backend, storage);
  const given = new Map(distant);
  const types = new Map(distant.map(([path, { type }]) => [path, type]));
  matchTensors(types, paramTypes(model.params), "the set of weights");
  const buffers = new Map<string, Buffer>();
  try {
    for (const [path, parameter] of leaves<Param>(model.params)) {
      const parts = await readStored(given.get(path)!, parameter, storage); // matched above
      for (const [own, kept] of under(path, parts)) buffers.set(own, backend.upload(kept));
    }
  } catch (error) {
    for (const buffer of buffers.values()) buffer[Symbol.dispose]();
    throw error;
  }
  return buffers;
}

const isOfType = (value: HostTensor | undefined, { dtype, shape }: TensorType): boolean =>
  value?.dtype === dtype && sameShape(value.shape, shape);

/** The parts of a distant weight as it is stored. */
async function readStored(weight: DistantWeight, parameter: Param, storage: Storage): Promise<Parts<HostTensor>> {
  const form = formOf(parameter, storage);
  const ready = form && storage !== "float32" ? await weight.readStored?.(storage) : undefined;
  if (ready && Object.entries(form!.types(parameter)).every(([end, type]) => isOfType(ready[end], type))) return ready;
  const value = await weight.read();
  return form?.store(value, parameter) ?? { "": value };
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
  const weights = mapParams(params, (parameter, path): Tensor => {
    const form = formOf(parameter, storage);
    if (form === undefined) return stored[path]!; // every parameter is stored
    const parts = Object.keys(form.types(parameter)).map((end) => [end, stored[path + end]!]);
    return form.restore(Object.fromEntries(parts), parameter);
  });
  return { weights, stored };
}

/** The graph of a model whose weights are so stored, with the products that go with that: of int4, in whole numbers. */
export const storedProducts = <I, O>(graph: Graph<I, O>, storage: Storage = "float32"): Graph<I, O> =>
  storage === "int4" ? int4Products(graph) : graph;
