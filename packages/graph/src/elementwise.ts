import { broadcastShape, broadcastStrides, stridedIndices } from "./broadcast.ts";
import { broadcastable, type CaseInput, type Draw, f32, typed } from "./cases.ts";
import { ShapeError } from "./errors.ts";
import { definePrimitive, expectDtype, type Op, type Vjp } from "./op.ts";
import { sumTo } from "./ops/broadcast-sum.ts";
import type { DType, HostTensor, Tensor, TensorType } from "./tensor.ts";
import { sameShape, size, typeName } from "./tensor.ts";

type Unary = [x: Tensor];
type Binary = [x: Tensor, y: Tensor];

/** An element-wise function of one tensor, of the same type. */
export function unary(
  name: string,
  f: (x: number) => number,
  vjp: Vjp<Unary, void> | null,
  { dtypes = ["float32"], of = f32 }: { dtypes?: readonly DType[]; of?: (...shape: number[]) => CaseInput } = {},
): Op<Unary> {
  return definePrimitive({
    name,
    infer([x]) {
      expectDtype(name, x, ...dtypes);
      return { dtype: x.dtype, shape: x.shape };
    },
    evaluate: ([x]) => Float64Array.from(x.data, f),
    vjp,
    cases: [[of(2, 3)], [of()], [of(0, 2)]],
    sample: (draw) => [of(...draw.shape())],
  });
}

interface BinaryOptions {
  readonly dtypes?: readonly DType[];
  readonly result?: DType;
  /** What the second operand of a test case is drawn from. */
  readonly second?: (...shape: number[]) => CaseInput;
  readonly first?: (...shape: number[]) => CaseInput;
}

/** An element-wise function of two tensors of one dtype, broadcast against each other. */
export function binary(
  name: string,
  f: (x: number, y: number, dtype: DType) => number,
  vjp: Vjp<Binary, void> | null,
  { dtypes = ["float32", "int32"], result, first, second }: BinaryOptions = {},
): Op<Binary> {
  const of =
    (dtype: DType, given?: (...shape: number[]) => CaseInput) =>
    (shape: readonly number[]): CaseInput =>
      given ? given(...shape) : typed(dtype, shape);
  const call = (dtype: DType, x: readonly number[], y: readonly number[]): [CaseInput, CaseInput] => [
    of(dtype, first)(x),
    of(dtype, second)(y),
  ];
  return definePrimitive({
    name,
    infer([x, y]) {
      expectDtype(name, x, ...dtypes);
      if (y.dtype !== x.dtype)
        throw new ShapeError(`${name} of ${typeName(x)} and ${typeName(y)}: both must have one dtype`);
      return { dtype: result ?? x.dtype, shape: broadcastShape(name, x.shape, y.shape) };
    },
    evaluate: ([x, y], _, out) => zip(x, y, out, f),
    vjp,
    cases: dtypes.flatMap((dtype) => [
      call(dtype, [2, 3], [2, 3]),
      call(dtype, [2, 1, 3], [4, 1]),
      call(dtype, [], [2]),
    ]),
    sample(draw: Draw) {
      const [x, y] = broadcastable(draw);
      return call(dtypes[draw.integer(0, dtypes.length - 1)]!, x, y);
    },
  });
}

function zip(
  x: HostTensor,
  y: HostTensor,
  out: TensorType,
  f: (x: number, y: number, dtype: DType) => number,
): Float64Array {
  const result = new Float64Array(size(out.shape));
  const xAt = sameShape(x.shape, out.shape) ? null : stridedIndices(out.shape, broadcastStrides(x.shape, out.shape));
  const yAt = sameShape(y.shape, out.shape) ? null : stridedIndices(out.shape, broadcastStrides(y.shape, out.shape));
  for (let k = 0; k < result.length; k++)
    result[k] = f(x.data[xAt ? xAt[k]! : k]!, y.data[yAt ? yAt[k]! : k]!, x.dtype);
  return result;
}

/** Cotangent of an operand that was stretched to the result's shape. */
export const unbroadcast = (ct: Tensor, to: Tensor): Tensor =>
  sameShape(ct.shape, to.shape) ? ct : sumTo(ct, to.shape);
