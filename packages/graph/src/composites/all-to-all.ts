import { f32 } from "../cases.ts";
import { FinegrainError, ShapeError } from "../errors.ts";
import { type CompositeOp, defineComposite, expectDtype } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { typeName } from "../tensor.ts";

/** Processes that run the same graph side by side, each on values of its own. */
export interface AllToAllAttrs {
  readonly ranks: number;
}

/**
 * What all ranks have for this one: the first axis is cut into a part for every rank, part r goes to rank r, and part r of the result is what
 * rank r sent here. Of one rank it is x itself.
 *
 *   x        float32  [ranks · n, ...]
 *   returns  float32  [ranks · n, ...]
 *
 * It moves numbers between ranks, so that its transpose, by which cotangents go back, is the same exchange. No backend carries messages: a graph of
 * several ranks is cut in segments where they meet, see `segmentsOf`.
 */
export const allToAll: CompositeOp<[x: Tensor], AllToAllAttrs> = defineComposite({
  name: "allToAll",
  infer([x], { ranks }) {
    expectDtype("allToAll", x, "float32");
    const first = x.shape[0];
    if (first === undefined || first % ranks !== 0)
      throw new ShapeError(`allToAll: the first axis of ${typeName(x)} has no equal parts for ${ranks} ranks`);
    return { dtype: x.dtype, shape: x.shape };
  },
  decompose([x], { ranks }) {
    if (ranks > 1)
      throw new FinegrainError(`a graph of ${ranks} ranks was given to a backend as a whole: it runs in segments`);
    return x;
  },
  vjp: (ct, _, attrs) => [allToAll(ct, attrs)],
  cost: () => ({ flops: 0, bytes: 0 }),
  cases: [[f32(4, 3), { ranks: 1 }]],
  sample: (draw) => [f32(...draw.shape(1)), { ranks: 1 }],
});
