import { stridedIndices, strides } from "./broadcast.ts";
import { type CaseInput, type Draw, f32, i32 } from "./cases.ts";
import { elementwiseCost } from "./cost.ts";
import { ShapeError } from "./errors.ts";
import { definePrimitive, expectDtype, type Op, type Vjp } from "./op.ts";
import type { Shape, Tensor, TensorType } from "./tensor.ts";
import { size } from "./tensor.ts";

export interface ReduceAttrs {
  readonly axes: Shape;
  /** Reduced axes stay, with an extent of one. Default: they go. */
  readonly keepDims?: boolean;
}

/** The shape that reducing leaves. @throws ShapeError where an axis is not one of x's, or comes twice. */
export function reducedShape(op: string, x: TensorType, { axes, keepDims = false }: ReduceAttrs): number[] {
  const axis = axes.find((a, i) => !(a in x.shape) || axes.indexOf(a) !== i);
  if (axis !== undefined) throw new ShapeError(`${op}: axes [${axes}] are not distinct axes of [${x.shape}]`);
  return keepDims ? x.shape.map((n, i) => (axes.includes(i) ? 1 : n)) : x.shape.filter((_, i) => !axes.includes(i));
}

/** The reduced result's shape with its axes kept at one, so that it broadcasts against x. */
export const keptShape = (x: TensorType, axes: Shape): number[] => x.shape.map((n, i) => (axes.includes(i) ? 1 : n));

/** An op that folds some axes of one tensor. `smallest`: the least extent of a reduced axis that has a meaning. */
export function reduction(
  name: string,
  start: number,
  fold: (sofar: number, x: number) => number,
  vjp: Vjp<[x: Tensor], ReduceAttrs>,
  smallest: number,
): Op<[x: Tensor], ReduceAttrs> {
  return definePrimitive({
    name,
    infer([x], attrs) {
      expectDtype(name, x, "float32", "int32");
      const shape = reducedShape(name, x, attrs);
      if (attrs.axes.some((axis) => x.shape[axis]! < smallest))
        throw new ShapeError(`${name} over an empty axis of [${x.shape}]`);
      return { dtype: x.dtype, shape };
    },
    evaluate([x], { axes }, out) {
      const result = new Float64Array(size(out.shape)).fill(start);
      const kept = keptShape(x, axes);
      const step = strides(kept);
      const to = stridedIndices(
        x.shape,
        step.map((n, axis) => (axes.includes(axis) ? 0 : n)),
      );
      for (let k = 0; k < to.length; k++) result[to[k]!] = fold(result[to[k]!]!, x.data[k]!);
      return result;
    },
    vjp,
    cost: ([x], _, out) => ({ flops: size(x.shape), bytes: elementwiseCost([x], out).bytes }),
    cases: [
      [f32(2, 3, 4), { axes: [1] }],
      [f32(2, 3), { axes: [0, 1] }],
      [f32(2, 3), { axes: [0], keepDims: true }],
      [i32([2, 3], 9), { axes: [1] }],
    ],
    sample(draw: Draw): [CaseInput, ReduceAttrs] {
      const shape = draw.shape(1);
      const axes = shape.flatMap((extent, axis) => (extent >= smallest && draw.integer(0, 1) === 0 ? [axis] : []));
      return [f32(...shape), { axes, keepDims: draw.integer(0, 1) === 0 }];
    },
  });
}
