import {
  FinegrainError,
  type HostTensor,
  hostTensor,
  type Shape,
  type StorageKind,
  size,
  type TensorType,
} from "@finegrain/graph";
import { type DistantWeight, int4Parts, type ModelConfig, matchTensors, type Parts } from "@finegrain/nn";
import type { Naming } from "./naming.ts";
import { copyPiece, groupedBy, isSame, type Laid, pickedRows, tensorLayout } from "./tensor-layout.ts";
import type { TensorSource } from "./tensor-source.ts";

/** A model's tensor that is read from files of others, or put in their order, when it is asked for. */
export type ForeignTensor = DistantWeight;

/**
 * The tensors of a model by our names, made from those of `source`.
 * @throws FinegrainError where tensors are missing, of another shape, or not the model's.
 */
export function foreignTensors(
  config: ModelConfig,
  source: TensorSource,
  naming: Naming,
  headWidth: number,
): Map<string, ForeignTensor> {
  expectFit(config, source);
  const { ours, theirs } = tensorLayout(config, naming, headWidth);
  const expected = new Map([...theirs].map(([name, { shape }]) => [name, float32(shape)]));
  const isTied = config.loss?.type === "tied";
  const isSpare = (name: string) => naming.superfluous.test(name) || (isTied && name === `${naming.names.loss}.weight`); // a copy of the embedding
  const found = [...source.types].filter(([name]) => expected.has(name) || !isSpare(name));
  matchTensors(new Map(found.map(([name, type]) => [name, flat(type, expected.get(name))])), expected, source.path);
  const tensors = laidOut(ours, "theirs", (name) => source.read(name));
  return new Map(
    [...tensors].map(([name, tensor]) => [name, { ...tensor, readStored: storedIn(source, ours.get(name)!) }]),
  );
}

/** Reads a tensor in the form of a storage, where its file has it so: rows of int4, in the order of theirs. */
const storedIn =
  (source: TensorSource, { pieces }: Laid) =>
  async (storage: StorageKind): Promise<Parts<HostTensor> | undefined> => {
    const [piece, ...others] = pieces;
    if (storage !== "int4" || piece === undefined || others.length > 0 || piece.inTheirs.input !== 1) return undefined;
    const all = await source.readInt4?.(piece.theirs);
    return all && int4Parts([piece.outputs, piece.inputs], pickedRows(all, piece));
  };

/** @throws FinegrainError where there are more layers or experts than there can be in the files, before anything is made of each. */
function expectFit({ layers, feedForward }: ModelConfig, { types, path }: TensorSource): void {
  if (layers > types.size)
    throw new FinegrainError(`${path} is said to have ${layers} layers, and has ${types.size} tensors`);
  const numbers = [...types.values()].reduce((sum, { shape }) => sum + size(shape), 0);
  const experts = feedForward?.type === "token-choice" ? feedForward.experts : 0;
  if (layers * experts > numbers)
    throw new FinegrainError(`${path} is said to have ${experts} experts a layer, and has ${numbers} numbers in all`);
}

/** The other way round: a model's tensors by the names of others. */
export const tensorsForOthers = (
  config: ModelConfig,
  tensors: ReadonlyMap<string, HostTensor>,
  naming: Naming,
  headWidth: number,
): Map<string, ForeignTensor> =>
  laidOut(tensorLayout(config, naming, headWidth).theirs, "ours", async (path) => tensors.get(path)!); // it is the model's

const float32 = (shape: Shape): TensorType => ({ dtype: "float32", shape });

/** A vector that is kept as a matrix of one row, or the other way round, as what is expected. */
const flat = (type: TensorType, expected: TensorType | undefined): TensorType =>
  expected && `${type.shape.filter((n) => n > 1)}` === `${expected.shape.filter((n) => n > 1)}`
    ? { ...type, shape: expected.shape }
    : type;

/** Tensors that are put together of those which `from` has, each of these in memory only while its pieces are copied. */
const laidOut = (
  laid: ReadonlyMap<string, Laid>,
  from: "theirs" | "ours",
  read: (name: string) => Promise<HostTensor>,
): Map<string, ForeignTensor> =>
  new Map(
    [...laid].map(([name, tensor]) => [
      name,
      { type: float32(tensor.shape), read: () => putTogether(tensor, from, read) },
    ]),
  );

async function putTogether(
  tensor: Laid,
  from: "theirs" | "ours",
  read: (name: string) => Promise<HostTensor>,
): Promise<HostTensor> {
  const { shape, pieces } = tensor;
  let data: HostTensor["data"] = new Float32Array(0);
  for (const [name, own] of groupedBy(pieces, (piece) => piece[from])) {
    const source = (await read(name)).data;
    if (pieces.length === 1 && isSame(own[0]!, tensor) && source.length === size(shape)) data = source;
    else {
      if (data.length === 0) data = new Float32Array(size(shape));
      for (const piece of own) copyPiece(piece, from, source, data);
    }
  }
  return hostTensor("float32", shape, data);
}
