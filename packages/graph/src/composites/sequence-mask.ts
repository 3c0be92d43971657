import { broadcastShape } from "../broadcast.ts";
import { f32, i32 } from "../cases.ts";
import { ShapeError } from "../errors.ts";
import { type CompositeOp, defineComposite, expectDtype } from "../op.ts";
import { iota } from "../ops/iota.ts";
import { less } from "../ops/less.ts";
import { reshape } from "../ops/reshape.ts";
import { select } from "../ops/select.ts";
import type { Tensor } from "../tensor.ts";
import { sameShape, typeName } from "../tensor.ts";
import { expectLastAxis } from "./composition.ts";

/**
 * x up to a length along its last axis, and `value` from there on, as MXNet's SequenceMask. It says where a sequence ends: a backend may
 * leave out what would only be hidden, and end sums of products with what is 0 from there on.
 *
 *   x        float32  [..., time]
 *   lengths  int32    [...], or what broadcasts to it; any below 0 is as 0, any above `time` is as `time`
 *   returns  float32  [..., time]
 */
export const sequenceMask: CompositeOp<[x: Tensor, lengths: Tensor], { value: number }> = defineComposite({
  name: "sequenceMask",
  infer([x, lengths]) {
    expectDtype("sequenceMask", x, "float32");
    expectDtype("sequenceMask", lengths, "int32");
    expectLastAxis("sequenceMask", x);
    const sequences = x.shape.slice(0, -1);
    if (!sameShape(broadcastShape("sequenceMask", sequences, lengths.shape), sequences))
      throw new ShapeError(`sequenceMask: lengths ${typeName(lengths)} do not fit the sequences of ${typeName(x)}`);
    return { dtype: x.dtype, shape: x.shape };
  },
  decompose([x, lengths], { value }) {
    const places = iota({ shape: [x.shape.at(-1)!], axis: 0 });
    return select(less(places, reshape(lengths, [...lengths.shape, 1])), x, value);
  },
  vjp: (ct, [, lengths]) => [sequenceMask(ct, lengths, { value: 0 }), null],
  cases: [
    [f32(2, 3, 5), i32([2, 3], 7), { value: 0 }],
    [f32(2, 3, 5), i32([3], 6), { value: -2 }],
    [f32(4), i32([], 4), { value: 1 }],
  ],
  sample(draw) {
    const sequences = draw.shape(0, 3);
    const lengths = sequences.slice(draw.integer(0, sequences.length));
    return [f32(...sequences, draw.extent(1)), i32(lengths, 6), { value: draw.integer(-1, 1) }];
  },
});
