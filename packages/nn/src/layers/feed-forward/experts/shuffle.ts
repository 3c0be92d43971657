import { cast, gather, neg, reshape, type Tensor, topK, transpose } from "@finegrain/graph";
import type { RandomSource } from "../../../context.ts";

/** What is shuffled: "time", the positions, of all sequences alike; "all", every token of the batch. */
export type Shuffle = "time" | "all";

/** [batch, time, features] in a random order, and the way back. */
export function shuffled(
  x: Tensor,
  shuffle: Shuffle,
  random: RandomSource,
): { readonly x: Tensor; restore(y: Tensor): Tensor } {
  const [batch, time, features] = x.shape as [number, number, number];
  const places = shuffle === "time" ? time : batch * time;
  const order = topK(random.uniform([places]), { k: places });
  const inverse = topK(neg(cast(order, "float32")), { k: places }); // ascending: where each place went
  const taken = (y: Tensor, from: Tensor): Tensor =>
    shuffle === "time"
      ? transpose(gather(transpose(y, [1, 0, 2]), from), [1, 0, 2])
      : reshape(gather(reshape(y, [places, features]), from), y.shape);
  return { x: taken(x, order), restore: (y) => taken(y, inverse) };
}
