import { type DType, FinegrainError, fromFloat16, type HostTensor } from "@finegrain/graph";

/**
 * How each dtype of a safetensors file becomes one of ours. F32, F64, I32, U8 and BOOL are views of the bytes where the
 * alignment allows; F16, BF16 and I64 are converted, exactly. Typed arrays have the host's byte order, which is the
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

function decodeInt64(bytes: Uint8Array, name: string): Int32Array {
  const { buffer, byteOffset, byteLength } = aligned(bytes, 8);
  const wide = new BigInt64Array(buffer, byteOffset, byteLength / 8);
  const narrow = new Int32Array(wide.length);
  for (let k = 0; k < wide.length; k++) {
    const value = wide[k]!;
    if (BigInt.asIntN(32, value) !== value) {
      throw new FinegrainError(`tensor "${name}" has the I64 value ${value}, which does not fit in int32`);
    }
    narrow[k] = Number(value);
  }
  return narrow;
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
  ["BF16", { bytes: 2, dtype: "float32", decode: decodeBfloat16 }],
  ["I64", { bytes: 8, dtype: "int32", decode: decodeInt64 }],
  ["BOOL", { bytes: 1, dtype: "bool", decode: decodeBool }],
  ["U8", { bytes: 1, dtype: "bool", decode: (bytes) => Uint8Array.from(bytes, (b) => (b === 0 ? 0 : 1)) }],
]);

/** What each of our dtypes is written as. */
export const writtenDTypes: Readonly<Record<DType, { readonly name: string; readonly bytes: number }>> = {
  float32: { name: "F32", bytes: 4 },
  int32: { name: "I32", bytes: 4 },
  bool: { name: "BOOL", bytes: 1 },
  float16: { name: "F16", bytes: 2 },
  int8: { name: "I8", bytes: 1 },
};

/** The data of a tensor as a safetensors file stores it: a view where the array is already in that form. */
export function tensorBytes({ dtype, data }: HostTensor): Uint8Array {
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
