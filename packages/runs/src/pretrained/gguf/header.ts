import { FinegrainError } from "@finegrain/graph";

/*
 * The head of a GGUF file, little endian: "GGUF", the version, the numbers of tensors and of metadata, the metadata by name, the
 * tensors' names, shapes, types and offsets. The tensors' bytes begin at the next multiple of `general.alignment`, and offsets count
 * from there. The format: docs/gguf.md of ggml.
 *
 * It is read here and not by @huggingface/gguf, for which a file that is cut short goes on in zeros.
 */

/** A value of the metadata. 64-bit whole numbers are as near as a float64 is. */
export type GgufValue = number | boolean | string | readonly GgufValue[];

/** One tensor as the head describes it. */
export interface GgufTensor {
  readonly name: string;
  /** The longest stride first, as everywhere here; the file has it the other way round. */
  readonly shape: readonly number[];
  /** What its numbers are stored as, by ggml's number for it. */
  readonly type: number;
  /** Where its bytes begin in the file. */
  readonly begin: number;
}

export interface GgufHeader {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

const MAGIC = 0x46554747; // "GGUF"
const VERSIONS = [2, 3];
/** Arrays in arrays: no file has more. */
const DEEPEST = 4;
/** ggml has no tensor of more axes. */
const MOST_AXES = 4;
/** Bytes of the smallest entry: the length of a name and a type. */
const LEAST_ENTRY = 12;
const USUAL_ALIGNMENT = 32;

/** Thrown where the bytes end before the head does: more of the file has to be read, where there is more. */
export class HeaderGoesOn extends Error {}

/**
 * Read the head of a GGUF file.
 *
 * @param bytes of the file's beginning.
 * @param source what to call the file in an error, e.g. its path.
 * @throws HeaderGoesOn where the bytes end before it does.
 * @throws FinegrainError where it is no GGUF file, of a version that is not known, or its head is broken.
 */
export function readGgufHeader(bytes: Uint8Array, source: string): GgufHeader {
  const at = cursor(bytes, source);
  if (bytes.length < 4 || at.uint32() !== MAGIC)
    throw new FinegrainError(`${source} is no GGUF file: it does not begin with "GGUF"`);
  const version = at.uint32();
  if (!VERSIONS.includes(version))
    throw new FinegrainError(
      `${source} is a GGUF file of version ${version}, which is not known: known are ${VERSIONS.join(" and ")}`,
    );
  const tensorCount = at.count(LEAST_ENTRY, "tensors");
  const metadataCount = at.count(LEAST_ENTRY, "entries of metadata");
  const metadata = new Map<string, GgufValue>();
  for (let k = 0; k < metadataCount; k++) {
    const name = at.text();
    metadata.set(name, at.value(at.uint32()));
  }
  const described = Array.from({ length: tensorCount }, () => {
    const name = at.text();
    const axes = at.uint32();
    if (axes > MOST_AXES) throw broken(source, `its tensor "${name}" has ${axes} axes`);
    const shape = Array.from({ length: axes }, () => at.uint64()).reverse();
    return { name, shape, type: at.uint32(), begin: at.uint64() };
  });
  const alignment = metadata.get("general.alignment") ?? USUAL_ALIGNMENT;
  if (typeof alignment !== "number" || !Number.isSafeInteger(alignment) || alignment < 1)
    throw broken(source, `its alignment is ${alignment}`);
  const start = Math.ceil(at.position() / alignment) * alignment;
  const tensors = new Map(described.map((tensor) => [tensor.name, { ...tensor, begin: start + tensor.begin }]));
  if (tensors.size < described.length) throw broken(source, "it names a tensor twice");
  return { metadata, tensors };
}

const broken = (source: string, why: string) => new FinegrainError(`${source} is a broken GGUF file: ${why}`);

/** Reads one value after the other. */
function cursor(bytes: Uint8Array, source: string) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let position = 0;
  /** The place of the next `length` bytes. */
  const take = (length: number): number => {
    if (length > bytes.length - position) throw new HeaderGoesOn();
    position += length;
    return position - length;
  };
  const uint32 = () => view.getUint32(take(4), true);
  const uint64 = () => {
    const value = Number(view.getBigUint64(take(8), true));
    if (!Number.isSafeInteger(value)) throw broken(source, `it has the size ${value}`);
    return value;
  };
  /** How many of something follow, each of at least `least` bytes. */
  const count = (least: number, what: string): number => {
    const value = uint64();
    if (value * least > LONGEST_HEADER) throw broken(source, `it would have ${value} ${what}`);
    if (value * least > bytes.length - position) throw new HeaderGoesOn();
    return value;
  };
  const text = (): string => {
    const length = count(1, "bytes of a text");
    const begin = take(length);
    return decoder.decode(bytes.subarray(begin, begin + length));
  };
  const numbers: Readonly<Record<number, () => number>> = {
    0: () => view.getUint8(take(1)),
    1: () => view.getInt8(take(1)),
    2: () => view.getUint16(take(2), true),
    3: () => view.getInt16(take(2), true),
    4: uint32,
    5: () => view.getInt32(take(4), true),
    6: () => view.getFloat32(take(4), true),
    10: () => Number(view.getBigUint64(take(8), true)),
    11: () => Number(view.getBigInt64(take(8), true)),
    12: () => view.getFloat64(take(8), true),
  };
  const value = (type: number, depth = 0): GgufValue => {
    if (type === 7) return view.getUint8(take(1)) !== 0;
    if (type === 8) return text();
    if (type === 9) {
      if (depth === DEEPEST) throw broken(source, "its arrays are nested too deep");
      const of = uint32();
      const length = count(1, "items of an array");
      return Array.from({ length }, () => value(of, depth + 1));
    }
    const read = numbers[type];
    if (read === undefined) throw broken(source, `its metadata has a value of the unknown type ${type}`);
    return read();
  };
  return { uint32, uint64, count, text, value, position: () => position };
}

/** A longer head is taken for a broken file. */
export const LONGEST_HEADER = 2 ** 29;
