import { FinegrainError, type Shape, size } from "@finegrain/graph";
import { blockFormats } from "./blocks.ts";

/*
 * A GGUF file, in the form that header.ts describes: version 3, each tensor at a multiple of the alignment.
 */

/** A value of the metadata by its type in the format. */
export type GgufEntry =
  | readonly ["uint32" | "float32", number]
  | readonly ["bool", boolean]
  | readonly ["string", string]
  | readonly ["int32s" | "float32s", readonly number[]]
  | readonly ["strings", readonly string[]];

export interface GgufContent {
  readonly metadata: ReadonlyMap<string, GgufEntry>;
  readonly tensors: ReadonlyMap<string, GgufTensorContent>;
}

export interface GgufTensorContent {
  readonly shape: Shape;
  /** What its numbers are stored as, by ggml's name. Default "F32". */
  readonly format?: GgufFormat;
  pieces(): Pieces;
}

export type GgufFormat = "F32" | "F16" | "Q8_0" | "Q4_0" | "Q4_1";

/** The bytes of a tensor's numbers, one after the other. */
type Pieces = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** The format's numbers of types. */
const TYPES = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const;
const VERSION = 3;
const ALIGNMENT = 32;

/** The file piece by piece; what a tensor's `pieces` gives is in memory only while it is written. */
export async function* ggufChunks({ metadata, tensors }: GgufContent): AsyncGenerator<Uint8Array> {
  let offset = 0;
  const described = [...tensors].map(([name, tensor]) => {
    const { shape } = tensor;
    const extents = shape.toReversed().map(uint64); // the fastest axis first
    const { type, bytes } = storedAs(tensor);
    const description = [text(name), uint32(shape.length), ...extents, uint32(type), uint64(offset)];
    offset += padded(bytes);
    return Buffer.concat(description);
  });
  const head = Buffer.concat([
    Buffer.from("GGUF"),
    uint32(VERSION),
    uint64(tensors.size),
    uint64(metadata.size),
    ...[...metadata].flatMap(([name, entry]) => [text(name), encoded(entry)]),
    ...described,
  ]);
  yield head;
  yield Buffer.alloc(padded(head.length) - head.length);
  for (const tensor of tensors.values()) {
    yield* tensor.pieces();
    const { bytes } = storedAs(tensor);
    yield Buffer.alloc(padded(bytes) - bytes);
  }
}

/** ggml's number of a format, and the numbers and the bytes of one of its blocks. */
export function ggufBlock(format: GgufFormat): {
  readonly type: number;
  readonly count: number;
  readonly bytes: number;
} {
  const [type, { count, bytes }] = [...blockFormats].find(([, { name }]) => name === format)!; // every `GgufFormat` is one
  return { type, count, bytes };
}

/** The number of a tensor's format, and its bytes. @throws FinegrainError where its rows are no whole blocks. */
function storedAs({ shape, format = "F32" }: GgufTensorContent): { type: number; bytes: number } {
  const { type, ...block } = ggufBlock(format);
  if ((shape.at(-1) ?? 1) % block.count !== 0)
    throw new FinegrainError(
      `rows of [${shape}] are no whole blocks of ${format}: its blocks have ${block.count} numbers`,
    );
  return { type, bytes: (size(shape) / block.count) * block.bytes };
}

const padded = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
const numbers = (values: Float32Array | Int32Array): Buffer => Buffer.from(values.buffer);
const text = (value: string): Buffer => Buffer.concat([uint64(Buffer.byteLength(value)), Buffer.from(value)]);

const typed = (type: keyof typeof TYPES, ...parts: readonly Buffer[]): Buffer =>
  Buffer.concat([uint32(TYPES[type]), ...parts]);
const array = (type: keyof typeof TYPES, length: number, ...items: readonly Buffer[]): Buffer =>
  typed("array", uint32(TYPES[type]), uint64(length), ...items);

/** A value behind the number of its type. */
function encoded([type, value]: GgufEntry): Buffer {
  switch (type) {
    case "uint32":
      return typed(type, uint32(value));
    case "float32":
      return typed(type, numbers(Float32Array.of(value)));
    case "bool":
      return typed(type, Buffer.of(value ? 1 : 0));
    case "string":
      return typed(type, text(value));
    case "int32s":
      return array("int32", value.length, numbers(Int32Array.from(value)));
    case "float32s":
      return array("float32", value.length, numbers(Float32Array.from(value)));
    case "strings":
      return array("string", value.length, ...value.map(text));
  }
}
