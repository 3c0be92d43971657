import { type DType, FinegrainError, fromFloat16, type HostTensor } from "@finegrain/graph";

/**
 * How each dtype of a safetensors file becomes one of ours. F32, F64, I8, I32, U8 and BOOL are views of the bytes where the
 * alignment allows, and F16 where it is kept; the others are converted, exactly. Typed arrays have the host's byte order, which is the
 * file's (little endian) on every machine that runs JavaScript today.
 */
interface StoredDType {
  /** Bytes of an element in the file. */
  readonly bytes: number;
  readonly dtype: DType;
  /** The elements of one tensor; `name` is for the error. */
  decode(bytes: Uint8Array, name: string): HostTensor["data"];
}

/** `bytes` at an address that a view of `alignment`-byte elements accepts: copied only where it must be. */
function aligned(bytes: Uint8Array, alignment: number): Uint8Array {
  return bytes.byteOffset % alignment === 0 ? bytes : bytes.slice();
}

function uint16(bytes: Uint8Array): Uint16Array {
  const { buffer, byteOffset, byteLength } = aligned(bytes, 2);
  return new Uint16Array(buffer, byteOffset, byteLength / 2);
}

function decodeHalf(bytes: Uint8Array): Float32Array {
  return Float32Array.from(uint16(bytes), fromFloat16);
}

/** bfloat16 is the upper half of a float32. */
function decodeBfloat16(bytes: Uint8Array): Float32Array {
  const upper = uint16(bytes);
  const bits = new Uint32Array(upper.length);
  for (let k = 0; k < upper.length; k++) bits[k] = upper[k]! << 16;
  return new Float32Array(bits.buffer);
}

const isInt32 = (value: number | bigint): boolean => value >= -(2 ** 31) && value < 2 ** 31;

/** Whole numbers of another width as int32, each of which must fit. */
function toInt32(values: ArrayLike<number | bigint>, stored: string, name: string): Int32Array {
  const narrow = new Int32Array(values.length);
  for (let k = 0; k < values.length; k++) {
    const value = values[k]!;
    if (!isInt32(value)) {
      throw new FinegrainError(`tensor "${name}" has the ${stored} value ${value}, which does not fit in int32`);
    }
    narrow[k] = Number(value);
  }
  return narrow;
}

/** A dtype of whole numbers, read as int32 through a typed array of its own width. */
function integers<T extends ArrayLike<number | bigint>>(
  stored: string,
  bytes: number,
  View: new (buffer: ArrayBufferLike, byteOffset: number, length: number) => T,
): [string, StoredDType] {
  const decode = (raw: Uint8Array, name: string) => {
    const { buffer, byteOffset, byteLength } = aligned(raw, bytes);
    return toInt32(new View(buffer, byteOffset, byteLength / bytes), stored, name);
  };
  return [stored, { bytes, dtype: "int32", decode }];
}

function decodeBool(bytes: Uint8Array, name: string): Uint8Array {
  const wrong = bytes.find((b) => b > 1);
  if (wrong !== undefined) throw new FinegrainError(`tensor "${name}" is BOOL but has the value ${wrong}`);
  return bytes;
}

/** The dtypes that can be read, by their name in a safetensors header. */
export const storedDTypes: ReadonlyMap<string, StoredDType> = new Map<string, StoredDType>([
  [
    "F32",
    {
      bytes: 4,
      dtype: "float32",
      decode(bytes) {
        const { buffer, byteOffset, byteLength } = aligned(bytes, 4);
        return new Float32Array(buffer, byteOffset, byteLength / 4);
      },
    },
  ],
  [
    "F64", // kept in float64, as a float32 tensor's data may be: nothing is rounded
    {
      bytes: 8,
      dtype: "float32",
      decode(bytes) {
        const { buffer, byteOffset, byteLength } = aligned(bytes, 8);
        return new Float64Array(buffer, byteOffset, byteLength / 8);
      },
    },
  ],
  [
    "I32",
    {
      bytes: 4,
      dtype: "int32",
      decode(bytes) {
        const { buffer, byteOffset, byteLength } = aligned(bytes, 4);
        return new Int32Array(buffer, byteOffset, byteLength / 4);
      },
    },
  ],
  ["F16", { bytes: 2, dtype: "float32", decode: decodeHalf }],
  [
    "I8",
    { bytes: 1, dtype: "int8", decode: ({ buffer, byteOffset, length }) => new Int8Array(buffer, byteOffset, length) },
  ],
  ["BF16", { bytes: 2, dtype: "float32", decode: decodeBfloat16 }],
  integers("I16", 2, Int16Array),
  integers("U16", 2, Uint16Array),
  integers("U32", 4, Uint32Array),
  integers("I64", 8, BigInt64Array),
  integers("U64", 8, BigUint64Array),
  ["BOOL", { bytes: 1, dtype: "bool", decode: decodeBool }],
  ["U8", { bytes: 1, dtype: "bool", decode: (bytes) => Uint8Array.from(bytes, (b) => (b === 0 ? 0 : 1)) }],
]);

/** Float16 as it is, where a reader asks for that. */
export const keptFloat16: StoredDType = { bytes: 2, dtype: "float16", decode: uint16 };

/** Bytes of an element of the dtypes that a file may have beside those, which cannot be read. */
export const unreadableBytes: ReadonlyMap<string, number> = new Map([
  ["C64", 8],
  ["F8_E4M3", 1],
  ["F8_E4M3FNUZ", 1],
  ["F8_E5M2", 1],
  ["F8_E5M2FNUZ", 1],
  ["F8_E8M0", 1],
  ["F6_E2M3", 0.75],
  ["F6_E3M2", 0.75],
  ["F4", 0.5],
]);

/** What each of our dtypes is written as. */
export const writtenDTypes: Readonly<Record<DType, { readonly name: string; readonly bytes: number }>> = {
  float32: { name: "F32", bytes: 4 },
  int32: { name: "I32", bytes: 4 },
  bool: { name: "BOOL", bytes: 1 },
  float16: { name: "F16", bytes: 2 },
  int8: { name: "I8", bytes: 1 },
};

/**
 * The data of a tensor as a safetensors file stores it: a view where the array is already in that form.
 *
 * @param name for the error.
 * @throws FinegrainError where a bool is neither 0 nor 1.
 */
export function tensorBytes({ dtype, data }: HostTensor, name: string): Uint8Array {
  if (dtype === "bool") {
    const wrong = data.findIndex((value: number) => value !== 0 && value !== 1);
    if (wrong !== -1) throw new FinegrainError(`tensor "${name}" is bool but has the value ${data[wrong]}`);
  }
  const stored =
    dtype === "float32" && !(data instanceof Float32Array)
      ? Float32Array.from(data)
      : dtype === "int32" && !(data instanceof Int32Array)
        ? Int32Array.from(data)
        : dtype === "bool" && !(data instanceof Uint8Array)
          ? Uint8Array.from(data)
          : data;
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}
