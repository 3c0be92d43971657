import { FinegrainError } from "./errors.ts";

/**
 * float16 and int8 are for inputs alone, to hold weights in fewer bytes: `cast` makes numbers of them to compute with. A float16
 * is a finite number: infinities and NaN are not kept.
 */
export type DType = ComputeDType | StorageDType;
export type ComputeDType = "float32" | "int32" | "bool";
export type StorageDType = "float16" | "int8";
/** What a backend may keep weights in: a dtype of fewer bits, or what an op unpacks, `fromInt4`. */
export type StorageKind = StorageDType | "int4";
export type Shape = readonly number[];

export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** A symbolic value: one node of the graph. Immutable; the graph is whatever is reachable through `inputs`. */
export interface Tensor extends TensorType {
  /** An `OpName`, or "input". */
  readonly op: string;
  readonly inputs: readonly Tensor[];
  readonly attrs: unknown;
}

/** A concrete value on the host, row-major. `bool` is one byte an element, 0 or 1; `float16` is the 16 bits of each. */
export interface HostTensor extends TensorType {
  readonly data: Float32Array | Float64Array | Int32Array | Uint8Array | Uint16Array | Int8Array;
}

/** Number of elements of a shape. */
export const size = (shape: Shape): number => shape.reduce((product, extent) => product * extent, 1);

/** Bytes of a value of this type on a device. */
export const byteSize = ({ dtype, shape }: TensorType): number => size(shape) * arrays[dtype].BYTES_PER_ELEMENT;

/** `float32[2,3]`: how messages and printed graphs show a type. */
export const typeName = ({ dtype, shape }: TensorType): string => `${dtype}[${shape.join(",")}]`;

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((extent, axis) => extent === b[axis]);

/** Whether two types are one. A loop without a closure: every run asks for each of its inputs. */
export function sameType(a: TensorType, b: TensorType): boolean {
  if (a === b) return true;
  if (a.dtype !== b.dtype || a.shape.length !== b.shape.length) return false;
  for (let axis = 0; axis < a.shape.length; axis++) if (a.shape[axis] !== b.shape[axis]) return false;
  return true;
}

export const isTensor = (x: unknown): x is Tensor =>
  typeof x === "object" && x !== null && "op" in x && "dtype" in x && "inputs" in x;

/** A value that is given to each run. `name` is how messages and printed graphs call it. */
export const input = (shape: Shape, dtype: DType = "float32", name?: string): Tensor => ({
  op: "input",
  inputs: [],
  attrs: name === undefined ? undefined : { name },
  dtype,
  shape,
});

/** The name that was given to `input`, or undefined. */
export const inputName = (tensor: Tensor): string | undefined =>
  tensor.op === "input" ? (tensor.attrs as { name: string } | undefined)?.name : undefined; // only `input` writes it

const arrays = {
  float32: Float32Array,
  int32: Int32Array,
  bool: Uint8Array,
  float16: Uint16Array,
  int8: Int8Array,
} as const;

/**
 * A host value of the dtype's own array type.
 * @throws FinegrainError where `data` has not as many elements as `shape`.
 */
export function hostTensor(dtype: DType, shape: Shape, data: ArrayLike<number>): HostTensor {
  if (data.length !== size(shape))
    throw new FinegrainError(
      `a value of ${typeName({ dtype, shape })} needs ${size(shape)} numbers, not ${data.length}`,
    );
  const array = arrays[dtype];
  return { dtype, shape, data: data instanceof array ? data : array.from(data) };
}

/** A host value of zeros: how caches, optimizer slots and sums start. */
export const zeroTensor = ({ dtype, shape }: TensorType): HostTensor =>
  hostTensor(dtype, shape, new arrays[dtype](size(shape)));

/** The dtype, where it is one to compute with. @throws FinegrainError where it is not, in the name of the backend that has no other. */
export function expectComputeDType(backend: string, { dtype, shape }: TensorType): ComputeDType {
  if (dtype === "float16" || dtype === "int8")
    throw new FinegrainError(`${backend} has no ${typeName({ dtype, shape })}: it keeps float32, int32 and bool alone`);
  return dtype;
}
