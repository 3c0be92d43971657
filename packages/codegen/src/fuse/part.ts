import type { Tensor } from "@finegrain/graph";
import type { Index } from "../ir/index-form.ts";
import { attrsOf, flatIndex, type Inliner, unflatten } from "./inline.ts";

/*
 * A part of a larger value, of a concatenation or a cache, is a value or a view of one: where nothing else reads that, it need not be stored
 * before it is copied to its place, but can be computed there.
 */

/** The inputs of an op that it puts into parts of its own value. */
export function partsOf({ op, inputs }: Tensor): readonly Tensor[] {
  if (op === "concat") return inputs;
  if (op === "pad") return inputs.slice(0, 1);
  return op === "updateSlice" ? inputs.slice(1, 2) : [];
}

/** Whether a padding only adds to the end of a row-major value. */
export function isPaddedBehind(x: Tensor): boolean {
  const { low, high } = attrsOf("pad", x);
  return low.every((count) => count === 0) && high.every((count, axis) => axis === 0 || count === 0);
}

const isRearranged = ({ op }: Tensor): boolean => op === "reshape" || op === "transpose";

/** See {@link placesIn}. */
export class NoPlace extends Error {}

/** The value that x has in another order or shape. */
export const rearrangedBase = (x: Tensor): Tensor => (isRearranged(x) ? rearrangedBase(x.inputs[0]!) : x);

/**
 * The place along the axes of x of an element of its base, which is at `places` of its own.
 * @throws SplitLoop where a loop would have to be two, NoPlace where it is not affine however many loops there are.
 */
export function placesIn(x: Tensor, places: readonly Index[], inliner: Inliner): readonly Index[] {
  if (!isRearranged(x)) return places;
  const source = x.inputs[0]!;
  const own = placesIn(source, places, inliner);
  if (x.op === "transpose") return attrsOf("transpose", x).map((axis) => own[axis]!);
  const found = unflatten(x.shape, flatIndex(source.shape, own, inliner.loops), inliner.extents);
  if (!found) throw new NoPlace();
  return found;
}
