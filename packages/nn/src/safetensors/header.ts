import {
  FinegrainError,
  isJsonObject,
  type JsonObject,
  parseJson,
  shownJson,
  size,
  type TensorType,
} from "@finegrain/graph";
import { keptFloat16, storedDTypes, unreadableBytes, writtenDTypes } from "./dtypes.ts";

/*
 * The head of a safetensors file: 8 bytes with the length of the JSON (little endian), the JSON padded with spaces to a
 * multiple of 8, then the tensors' bytes without gaps. `data_offsets` count from the end of the JSON.
 */

/** One tensor as the header describes it. `begin` and `end` are positions in the file. */
export interface SafetensorsEntry {
  readonly name: string;
  /** The dtype's name in the file: "F32", "BF16", ... */
  readonly stored: string;
  /** undefined where the dtype cannot be read. */
  readonly type: TensorType | undefined;
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  /** In the order of their bytes. */
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: Readonly<Record<string, string>>;
  /** Length of the header in bytes: where the first tensor begins. */
  readonly length: number;
  /** Length of the whole file in bytes. */
  readonly fileLength: number;
}

export interface ReadOptions {
  /** F16 becomes float16, not float32. Default false. */
  readonly keepFloat16?: boolean;
}

/** Bytes that tell how long the header is. */
export const LENGTH_BYTES = 8;
/** The same limit as the reference implementation: a longer header is taken for a broken file. */
const LONGEST_JSON = 100_000_000;
const METADATA = "__metadata__";

/**
 * Whole length of the header, from the first 8 bytes of a file.
 *
 * @throws FinegrainError where they are no length of a header, or the file of `fileLength` bytes is shorter than it.
 */
export function safetensorsHeaderLength(start: Uint8Array, fileLength: number, source: string): number {
  if (start.length < LENGTH_BYTES) {
    throw new FinegrainError(
      `${source} is cut short: expected at least ${LENGTH_BYTES} bytes of header, found ${start.length}`,
    );
  }
  const length = new DataView(start.buffer, start.byteOffset).getBigUint64(0, true);
  if (length > LONGEST_JSON)
    throw new FinegrainError(`${source} is no safetensors file: its header would be ${length} bytes long`);
  const whole = LENGTH_BYTES + Number(length);
  if (fileLength < whole) {
    throw new FinegrainError(`${source} is cut short: expected ${whole} bytes of header, found ${fileLength} bytes`);
  }
  return whole;
}

/**
 * Read the header of a safetensors file from its first bytes (see {@link safetensorsHeaderLength}).
 *
 * @param bytes at least the whole header.
 * @param fileLength length of the file where `bytes` is only its head.
 * @throws FinegrainError where the file is cut short or longer than its header says, the JSON is broken, a shape does not
 *   fit its offsets, or tensors overlap, leave gaps or lie outside.
 */
export function readSafetensorsHeader(
  bytes: Uint8Array,
  source = "safetensors file",
  fileLength = bytes.length,
  options: ReadOptions = {},
): SafetensorsHeader {
  const length = safetensorsHeaderLength(bytes.subarray(0, LENGTH_BYTES), fileLength, source);
  const { [METADATA]: metadata, ...tensors } = parseHeader(bytes.subarray(LENGTH_BYTES, length), source);
  const entries = Object.entries(tensors)
    .map(([name, described]) => readEntry(name, described, length, source, options))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkLayout(entries, length, fileLength, source);
  return {
    entries: new Map(entries.map((e) => [e.name, e])),
    metadata: readMetadata(metadata ?? {}, source),
    length,
    fileLength,
  };
}

/**
 * The header of a file with these tensors. Their bytes follow it in the order of `order`.
 *
 * Element size descends in that order, so that every tensor is aligned to its elements.
 */
export function safetensorsHeader(
  types: ReadonlyMap<string, TensorType>,
  metadata: Readonly<Record<string, string>> = {},
): { readonly bytes: Uint8Array; readonly order: readonly string[]; readonly fileLength: number } {
  const elementBytes = (name: string) => writtenDTypes[types.get(name)!.dtype].bytes;
  const order = [...types.keys()].sort((a, b) => elementBytes(b) - elementBytes(a));
  const described: [name: string, value: unknown][] = Object.keys(metadata).length > 0 ? [[METADATA, metadata]] : [];
  let end = 0;
  for (const name of order) {
    if (name === METADATA) throw new FinegrainError(`a tensor cannot be named "${METADATA}" in a safetensors file`);
    const { dtype, shape } = types.get(name)!;
    const begin = end;
    end += size(shape) * writtenDTypes[dtype].bytes;
    described.push([name, { dtype: writtenDTypes[dtype].name, shape, data_offsets: [begin, end] }]);
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(described)));
  const bytes = new Uint8Array(LENGTH_BYTES + Math.ceil(json.length / 8) * 8).fill(0x20); // padded with spaces
  new DataView(bytes.buffer).setBigUint64(0, BigInt(bytes.length - LENGTH_BYTES), true);
  bytes.set(json, LENGTH_BYTES);
  return { bytes, order, fileLength: bytes.length + end };
}

function parseHeader(bytes: Uint8Array, source: string): JsonObject {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new FinegrainError(`${source} is no safetensors file: its header is not UTF-8`);
  }
  const what = `${source} is no safetensors file: its header`;
  const value = parseJson(text, what);
  if (!isJsonObject(value)) throw new FinegrainError(`${what} is not a JSON object`);
  return value;
}

function readMetadata(value: unknown, source: string): Record<string, string> {
  if (!isJsonObject(value)) throw new FinegrainError(`${source}: its ${METADATA} is not an object of strings`);
  return Object.fromEntries(
    Object.entries(value).map(([key, text]) => {
      if (typeof text !== "string") throw new FinegrainError(`${source}: its metadata "${key}" is not a string`);
      return [key, text];
    }),
  );
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function readEntry(
  name: string,
  described: unknown,
  headerLength: number,
  source: string,
  { keepFloat16 = false }: ReadOptions,
): SafetensorsEntry {
  if (!isJsonObject(described)) throw new FinegrainError(`${source}: its header does not describe tensor "${name}"`);
  const { dtype, shape, data_offsets: offsets } = described;
  if (typeof dtype !== "string") {
    throw new FinegrainError(`${source}: tensor "${name}" has the dtype ${shownJson(dtype)}, expected its name`);
  }
  const stored = keepFloat16 && dtype === "F16" ? keptFloat16 : storedDTypes.get(dtype);
  const elementBytes = stored?.bytes ?? unreadableBytes.get(dtype);
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    throw new FinegrainError(`${source}: tensor "${name}" has the shape ${shownJson(shape)}, expected a list of sizes`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw new FinegrainError(
      `${source}: tensor "${name}" has the offsets ${shownJson(offsets)}, expected [begin, end]`,
    );
  }
  const [begin, end] = offsets as [number, number];
  const expected = elementBytes === undefined ? Math.max(0, end - begin) : size(shape) * elementBytes;
  if (end - begin !== expected) {
    throw new FinegrainError(
      `${source}: tensor "${name}" (${dtype}[${shape}]) needs ${expected} bytes but its offsets [${begin}, ${end}] hold ${end - begin}`,
    );
  }
  const type = stored && { dtype: stored.dtype, shape };
  return { name, stored: dtype, type, begin: headerLength + begin, end: headerLength + end };
}

/** The sorted entries fill the file from the header to its end, without gaps or overlaps. */
function checkLayout(entries: readonly SafetensorsEntry[], headerLength: number, fileLength: number, source: string) {
  let end = headerLength;
  for (const [i, entry] of entries.entries()) {
    if (entry.begin < end) {
      throw new FinegrainError(
        `${source}: tensors "${entries[i - 1]!.name}" and "${entry.name}" overlap at byte ${entry.begin - headerLength} of the data`,
      );
    }
    if (entry.begin > end) {
      throw new FinegrainError(
        `${source}: ${entry.begin - end} bytes before tensor "${entry.name}" belong to no tensor`,
      );
    }
    end = entry.end;
  }
  if (fileLength < end) {
    throw new FinegrainError(`${source} is cut short: expected ${end} bytes, found ${fileLength}`);
  }
  if (fileLength > end) {
    throw new FinegrainError(`${source} is longer than its header says: expected ${end} bytes, found ${fileLength}`);
  }
}
