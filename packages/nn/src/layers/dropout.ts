import { cast, FinegrainError, less, mul, type Tensor } from "@finegrain/graph";
import type { Context } from "../context.ts";

/**
 * In training every element is 0 with the probability `rate`, and those that stay are larger, so that the mean stays; in evaluation x as
 * it is. Srivastava et al. 2014.
 *
 * @throws FinegrainError where the rate is not from 0 to below 1.
 * @param shared axes along which all elements go or stay together. Default none.
 */
export function dropout(
  x: Tensor,
  { mode, random }: Pick<Context, "mode" | "random">,
  { rate, shared = [] }: { readonly rate: number; readonly shared?: readonly number[] },
): Tensor {
  if (!(rate >= 0 && rate < 1)) throw new FinegrainError(`the rate of dropout must be from 0 to below 1, not ${rate}`);
  if (mode === "evaluate" || rate === 0) return x;
  const draw = random.uniform(x.shape.map((extent, axis) => (shared.includes(axis) ? 1 : extent)));
  return mul(x, mul(cast(less(draw, 1 - rate), "float32"), 1 / (1 - rate)));
}
