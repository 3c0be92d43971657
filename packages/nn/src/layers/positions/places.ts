import { add, dynamicSlice, FinegrainError, gather, iota, reshape, type Tensor } from "@finegrain/graph";
import { isOfStreams } from "../streams.ts";

/** @throws FinegrainError where `x` [batch, time, dModel] is longer than the table. */
export function expectLength(x: Tensor, maxLength: number): void {
  if (x.shape[1]! > maxLength)
    throw new FinegrainError(`${x.shape[1]} tokens are more than the model's maxLength of ${maxLength}`);
}

/**
 * int32 [time, 1]: the places of the rows of `x` in their stream, which begins at `position`. Of streams with places of their own, int32
 * [batch], they are [batch, time, 1].
 */
export function places(time: number, position: Tensor | number = 0): Tensor {
  const within = iota({ shape: [time, 1], axis: 0 });
  if (typeof position !== "number" && isOfStreams(position))
    return add(within, reshape(position, [position.shape[0]!, 1, 1]));
  return time === 1 && typeof position !== "number" ? reshape(position, [1, 1]) : add(within, position);
}

/**
 * The rows of a table, [maxLength, dModel], for the next tokens: [time, dModel], or of streams with places of their own
 * [batch, time, dModel].
 */
export function rowsAt(table: Tensor, time: number, position: Tensor): Tensor {
  if (!isOfStreams(position)) return dynamicSlice(table, position, { axis: 0, length: time });
  return gather(table, reshape(places(time, position), [position.shape[0]!, time]));
}
