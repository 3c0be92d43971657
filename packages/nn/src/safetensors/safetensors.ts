import { FinegrainError, type HostTensor, sameShape, size, type TensorType, typeName } from "@finegrain/graph";
import { keptFloat16, storedDTypes, tensorBytes } from "./dtypes.ts";
import { type ReadOptions, readSafetensorsHeader, type SafetensorsEntry, safetensorsHeader } from "./header.ts";

/** What a safetensors file holds. */
export interface SafetensorsContent {
  readonly tensors: ReadonlyMap<string, HostTensor>;
  /** Tensors that were left out, since their dtype cannot be read: its name in the file by theirs. */
  readonly unreadable: ReadonlyMap<string, string>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Read a whole safetensors file. The tensors are views of `bytes` where their dtype and alignment allow: F32, I8, I32, BOOL
 * and F64 (as float32 tensors with float64 data), and F16 where it is kept. F16 and BF16 become float32, whole numbers of
 * other widths int32, U8 bool (non-zero is true).
 *
 * @param source what to call the file in an error, e.g. its path.
 * @throws FinegrainError as {@link readSafetensorsHeader} does, and where a number does not fit in int32 or a BOOL is not 0 or 1.
 */
export function readSafetensors(
  bytes: Uint8Array,
  source = "safetensors file",
  options: ReadOptions = {},
): SafetensorsContent {
  const { entries, metadata } = readSafetensorsHeader(bytes, source, bytes.length, options);
  const tensors = new Map<string, HostTensor>();
  const unreadable = new Map<string, string>();
  for (const entry of entries.values()) {
    if (entry.type === undefined) unreadable.set(entry.name, entry.stored);
    else tensors.set(entry.name, decodeTensor(entry, bytes.subarray(entry.begin, entry.end), source));
  }
  return { tensors, unreadable, metadata };
}

/**
 * One tensor from its bytes alone, for readers that do not hold the whole file.
 *
 * @throws FinegrainError where its dtype cannot be read, the number of bytes is wrong, a whole number does not fit in int32 or a BOOL is not 0 or 1.
 */
export function decodeTensor(entry: SafetensorsEntry, bytes: Uint8Array, source = "safetensors file"): HostTensor {
  const { name, stored, type, begin, end } = entry;
  if (bytes.length !== end - begin) {
    throw new FinegrainError(`${source}: tensor "${name}" needs ${end - begin} bytes, found ${bytes.length}`);
  }
  const dtype = type?.dtype === "float16" ? keptFloat16 : storedDTypes.get(stored);
  if (type === undefined || dtype === undefined) {
    const known = [...storedDTypes.keys()].join(", ");
    throw new FinegrainError(
      `${source}: tensor "${name}" has the dtype "${stored}", which cannot be read: only ${known} can`,
    );
  }
  return { ...type, data: dtype.decode(bytes, name) };
}

/** A safetensors file of these tensors in one array. Larger than 2 GB: see {@link safetensorsChunks}. */
export function writeSafetensors(
  tensors: ReadonlyMap<string, HostTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const { bytes: header, order, fileLength } = safetensorsHeader(tensors, metadata);
  const file = new Uint8Array(fileLength);
  file.set(header);
  let position = header.length;
  for (const name of order) {
    const bytes = checkedBytes(name, tensors.get(name)!, tensors.get(name)!);
    file.set(bytes, position);
    position += bytes.length;
  }
  return file;
}

/**
 * The pieces of a safetensors file in order: the header, then the bytes of one tensor at a time. `read` is called when
 * its tensor is wanted, so that only one is in memory.
 *
 * @throws FinegrainError where `read` returns a tensor of another type than `types` promised.
 */
export async function* safetensorsChunks(
  types: ReadonlyMap<string, TensorType>,
  read: (name: string) => HostTensor | Promise<HostTensor>,
  metadata: Readonly<Record<string, string>> = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { bytes, order } = safetensorsHeader(types, metadata);
  yield bytes;
  for (const name of order) yield checkedBytes(name, await read(name), types.get(name)!);
}

/** The bytes of `tensor`, which must be of the type that the header promises and have as many elements. */
function checkedBytes(name: string, tensor: HostTensor, type: TensorType): Uint8Array {
  if (tensor.dtype !== type.dtype || !sameShape(tensor.shape, type.shape) || tensor.data.length !== size(type.shape)) {
    throw new FinegrainError(
      `tensor "${name}" was to be written as ${typeName(type)}, but is ${typeName(tensor)} with ${tensor.data.length} elements`,
    );
  }
  return tensorBytes(tensor, name);
}
