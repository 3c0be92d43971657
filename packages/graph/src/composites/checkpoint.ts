import { f32 } from "../cases.ts";
import { type CompositeOp, defineComposite } from "../op.ts";
import { barrier } from "../ops/barrier.ts";
import { mul } from "../ops/mul.ts";
import { tanh } from "../ops/tanh.ts";
import type { Tensor } from "../tensor.ts";
import { input } from "../tensor.ts";

/** A part of a graph: a pure function of its operands, which must reach every weight through them. */
export interface CheckpointAttrs {
  readonly body: (operands: readonly Tensor[]) => Tensor;
}

/**
 * body(operands), whose intermediate values are not kept for the backward pass but computed again there. Chen et al.
 * 2016, "Training Deep Nets with Sublinear Memory Cost".
 */
export const checkpoint: CompositeOp<readonly Tensor[], CheckpointAttrs> = defineComposite({
  name: "checkpoint",
  infer(operands, { body }) {
    const { dtype, shape } = body(operands.map((x) => input(x.shape, x.dtype)));
    return { dtype, shape };
  },
  decompose: (operands, { body }) => body(operands),
  vjp(ct, operands, { body }, _, pullback) {
    // Behind barriers, so that nothing merges the second computation with the first.
    const again = operands.map((x) => barrier(x, ct));
    return pullback(body(again), ct, again).map((found, i) => (operands[i]!.dtype === "float32" ? found : null));
  },
  cases: [[f32(2, 3), f32(3), { body: ([x, y]) => tanh(mul(tanh(x!), y!)) }]],
  sample(draw) {
    const shape = draw.shape();
    return [f32(...shape), f32(...shape), { body: ([x, y]) => tanh(mul(tanh(x!), y!)) }];
  },
});
