import { stridedIndices, strides } from "../broadcast.ts";
import { f32 } from "../cases.ts";
import { elementwiseCost } from "../cost.ts";
import { type EinsumSpec, einsumExtents, parseEinsum } from "../einsum-spec.ts";
import { definePrimitive, expectDtype, type Op } from "../op.ts";
import type { HostTensor, Tensor } from "../tensor.ts";
import { size } from "../tensor.ts";
import { broadcastTo } from "./broadcast-sum.ts";
import { reshape } from "./reshape.ts";

/** Strides of one operand along `along`, 0 where it lacks the axis. */
const stridesAlong = (own: readonly string[], x: HostTensor, along: readonly string[]): number[] => {
  const step = strides(x.shape);
  return along.map((axis) => (own.includes(axis) ? step[own.indexOf(axis)]! : 0));
};

/** Cotangent of the operand of axes `own`: the result's cotangent against the other operand. */
function cotangent(
  ct: Tensor,
  { out }: EinsumSpec,
  other: Tensor,
  theirs: readonly string[],
  own: readonly string[],
  shape: readonly number[],
): Tensor {
  const reached = own.filter((axis) => out.includes(axis) || theirs.includes(axis));
  const product = einsum(ct, other, `${out.join(" ")}, ${theirs.join(" ")} -> ${reached.join(" ")}`);
  if (reached.length === own.length) return product;
  // An axis that only this operand has was summed: every element along it gets the same.
  return broadcastTo(
    reshape(
      product,
      own.map((axis, i) => (reached.includes(axis) ? shape[i]! : 1)),
    ),
    shape,
  );
}

/**
 * Contraction of two tensors over named axes, e.g. einsum(x, w, "B D, D F -> B F"). Every axis that is left out of
 * the result is summed; an axis in both operands and the result is a batch axis. float32.
 */
export const einsum: Op<[x: Tensor, y: Tensor], string> = definePrimitive({
  name: "einsum",
  infer([x, y], text) {
    expectDtype("einsum", x, "float32");
    expectDtype("einsum", y, "float32");
    const spec = parseEinsum(text);
    const extents = einsumExtents(text, spec, x.shape, y.shape);
    return { dtype: x.dtype, shape: spec.out.map((axis) => extents.get(axis)!) };
  },
  evaluate([x, y], text, out) {
    const spec = parseEinsum(text);
    const extents = einsumExtents(text, spec, x.shape, y.shape);
    const summed = [...extents.keys()].filter((axis) => !spec.out.includes(axis));
    const inner = summed.map((axis) => extents.get(axis)!);
    const offsets = (own: readonly string[], value: HostTensor) => [
      stridedIndices(out.shape, stridesAlong(own, value, spec.out)),
      stridedIndices(inner, stridesAlong(own, value, summed)),
    ];
    const [xOut, xIn] = offsets(spec.x, x) as [Int32Array, Int32Array];
    const [yOut, yIn] = offsets(spec.y, y) as [Int32Array, Int32Array];
    return Float64Array.from(xOut, (at, k) => {
      let sum = 0;
      for (let i = 0; i < xIn.length; i++) sum += x.data[at + xIn[i]!]! * y.data[yOut[k]! + yIn[i]!]!;
      return sum;
    });
  },
  vjp(ct, [x, y], text) {
    const spec = parseEinsum(text);
    return [cotangent(ct, spec, y, spec.y, spec.x, x.shape), cotangent(ct, spec, x, spec.x, spec.y, y.shape)];
  },
  cost([x, y], text, out) {
    const extents = einsumExtents(text, parseEinsum(text), x.shape, y.shape);
    return { flops: 2 * size([...extents.values()]), bytes: elementwiseCost([x, y], out).bytes };
  },
  cases: [
    [f32(2, 3), f32(3, 4), "B D, D F -> B F"],
    [f32(2, 3), f32(4, 3), "B D, F D -> B F"],
    [f32(2, 3, 4), f32(2, 3, 4), "B N E, B N E -> B"],
    [f32(2, 3, 4, 5), f32(2, 6, 4, 5), "B T H D, B S H D -> B H T S"],
    [f32(2, 3), f32(4, 2, 5), "B R, N B E -> B N E R"],
    [f32(2, 3), f32(2), "B D, B -> B"],
    [f32(3), f32(4), "D, F -> D F"],
    [f32(2, 3, 4), f32(2, 3), "b N K, b N -> b K"],
  ],
  sample(draw) {
    const pool = ["B", "D", "E", "F", "G"];
    const extents = new Map(pool.map((axis) => [axis, draw.extent()]));
    const pick = (from: readonly string[]) => from.filter(() => draw.integer(0, 1) === 0);
    const [xs, ys] = [pick(pool), pick([...pool].reverse())];
    const out = pick(pool.filter((axis) => xs.includes(axis) || ys.includes(axis)));
    const of = (axes: readonly string[]) => f32(...axes.map((axis) => extents.get(axis)!));
    return [of(xs), of(ys), `${xs.join(" ")}, ${ys.join(" ")} -> ${out.join(" ")}`];
  },
});
