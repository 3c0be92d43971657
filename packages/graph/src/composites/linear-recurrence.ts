import { f32 } from "../cases.ts";
import { ShapeError } from "../errors.ts";
import { type CompositeOp, defineComposite, expectDtype } from "../op.ts";
import { add } from "../ops/add.ts";
import { mul } from "../ops/mul.ts";
import { pad, slice } from "../ops/slice-pad.ts";
import type { Tensor } from "../tensor.ts";
import { sameShape, typeName } from "../tensor.ts";

export interface LinearRecurrenceAttrs {
  /** The axis along which a value depends on the one before it. */
  readonly axis: number;
  /** From the last entry to the first. Default false. */
  readonly reverse?: boolean;
}

/** x moved `by` entries along an axis, zeros where it came from; backwards where `reverse`. */
function delayed(x: Tensor, by: number, { axis, reverse = false }: LinearRecurrenceAttrs): Tensor {
  const none = x.shape.map(() => 0);
  const rest = x.shape[axis]! - by;
  const kept = reverse
    ? slice(x, { starts: none.with(axis, by), ends: x.shape })
    : slice(x, { starts: none, ends: x.shape.with(axis, rest) });
  const room = none.with(axis, by);
  return reverse ? pad(kept, { low: none, high: room }) : pad(kept, { low: room, high: none });
}

/**
 * h_t = decay_t · h_(t-1) + x_t along an axis, with h = 0 before the first.
 *
 *   decay, x  float32 [...]    of one shape, which is that of the result
 *
 * In log₂(n) steps over all entries at once: after the step of length s an entry has taken in the 2s - 1 before it. Hillis and
 * Steele 1986, "Data Parallel Algorithms".
 */
export const linearRecurrence: CompositeOp<[decay: Tensor, x: Tensor], LinearRecurrenceAttrs> = defineComposite({
  name: "linearRecurrence",
  infer([decay, x], { axis }) {
    expectDtype("linearRecurrence", decay, "float32");
    expectDtype("linearRecurrence", x, "float32");
    if (!sameShape(decay.shape, x.shape))
      throw new ShapeError(`linearRecurrence of ${typeName(decay)} and ${typeName(x)}: shapes differ`);
    if (x.shape[axis] === undefined) throw new ShapeError(`linearRecurrence: ${typeName(x)} has no axis ${axis}`);
    return { dtype: x.dtype, shape: x.shape };
  },
  decompose([decay, x], attrs) {
    let [h, through] = [x, decay];
    for (let s = 1; s < x.shape[attrs.axis]!; s *= 2) {
      h = add(h, mul(through, delayed(h, s, attrs)));
      through = mul(through, delayed(through, s, attrs));
    }
    return h;
  },
  // What an entry adds to later ones comes back from them: the same recurrence the other way.
  vjp(ct, [decay, x], { axis, reverse = false }, h) {
    if (x.shape[axis] === 0) return [ct, ct];
    const back = { axis, reverse: !reverse };
    const own = linearRecurrence(delayed(decay, 1, back), ct, back);
    return [mul(own, delayed(h, 1, { axis, reverse })), own];
  },
  cases: [
    [f32(2, 5, 3), f32(2, 5, 3), { axis: 1 }],
    [f32(6), f32(6), { axis: 0, reverse: true }],
    [f32(1, 2), f32(1, 2), { axis: 0 }],
  ],
  sample(draw) {
    const shape = [...draw.shape(0, 2), draw.extent(0)];
    const attrs = { axis: draw.integer(0, shape.length - 1), reverse: draw.integer(0, 1) === 1 };
    return [f32(...shape), f32(...shape), attrs];
  },
});
