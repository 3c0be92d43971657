import { add, FinegrainError, iota, reshape, type Tensor } from "@finegrain/graph";

/** @throws FinegrainError where `x` [batch, time, dModel] is longer than the table. */
export function expectLength(x: Tensor, maxLength: number): void {
  if (x.shape[1]! > maxLength)
    throw new FinegrainError(`${x.shape[1]} tokens are more than the model's maxLength of ${maxLength}`);
}

/** int32 [time, 1]: the places of the rows of `x` in their stream, which begins at `position`. */
export function places(time: number, position: Tensor | number = 0): Tensor {
  const within = iota({ shape: [time, 1], axis: 0 });
  return time === 1 && typeof position !== "number" ? reshape(position, [1, 1]) : add(within, position);
}
