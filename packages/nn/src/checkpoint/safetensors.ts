import { FinegrainError, type HostTensor, sameShape, size, type TensorType, typeName } from "@finegrain/graph";
import { storedDTypes, tensorBytes } from "./dtypes.ts";
import { readSafetensorsHeader, type SafetensorsEntry, safetensorsHeader } from "./header.ts";

/** What a safetensors file holds. */
export interface SafetensorsContent {
  readonly tensors: ReadonlyMap<string, HostTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Read a whole safetensors file. The tensors are views of `bytes` where their dtype and alignment allow: F32, I32, BOOL
 * and F64 (as float32 tensors with float64 data). F16 and BF16 become float32, I64 int32, U8 bool (non-zero is true).
 *
 * @param source what to call the file in an error, e.g. its path.
 * @throws FinegrainError as {@link readSafetensorsHeader} does, and where an I64 does not fit in int32 or a BOOL is not 0 or 1.
 */
export function readSafetensors(bytes: Uint8Array, source = "safetensors file"): SafetensorsContent {
  const { entries, metadata } = readSafetensorsHeader(bytes, source);
  const tensors = new Map<string, HostTensor>();
  for (const entry of entries.values()) {
    tensors.set(entry.name, decodeTensor(entry, bytes.subarray(entry.begin, entry.end), source));
  }
  return { tensors, metadata };
}

/**
 * One tensor from its bytes alone, for readers that do not hold the whole file.
 *
 * @throws FinegrainError where the number of bytes is wrong, an I64 does not fit in int32 or a BOOL is not 0 or 1.
 */
export function decodeTensor(entry: SafetensorsEntry, bytes: Uint8Array, source = "safetensors file"): HostTensor {
  const { name, stored, type, begin, end } = entry;
  if (bytes.length !== end - begin) {
    throw new FinegrainError(`${source}: tensor "${name}" needs ${end - begin} bytes, found ${bytes.length}`);
  }
  const dtype = storedDTypes.get(stored);
  if (dtype === undefined) throw new FinegrainError(`${source}: tensor "${name}" has the unknown dtype "${stored}"`);
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
  return tensorBytes(tensor);
}
