import { parseEinsum, type Tensor } from "@finegrain/graph";
import { call, type Expression, literal, variesAlong } from "../ir/expression.ts";
import { type Index, SplitLoop } from "../ir/index-form.ts";
import { attrsOf, type Inliner, NeedsBuffer } from "./inline.ts";

/** What a mask sets scores to is no more than this, and no score that counts is. */
const MASKED = -1e8;

/**
 * Where a sum of products ends, as {@link Reduction.until} has it: of a softmax over scores that a mask hides from some place on, as in
 * attention to a cache that is filled up to there, and of one token.
 *
 * @param node an einsum.
 * @param placeOf the place along one of its axes.
 * @returns undefined where it is not known, or not the same for all of the result.
 */
export function untilOf(node: Tensor, placeOf: (axis: string) => Index, inliner: Inliner): Expression | undefined {
  const spec = parseEinsum(attrsOf("einsum", node));
  const [axis, ...others] = [...spec.summed, ...spec.lonely];
  for (const [i, operand] of node.inputs.entries()) {
    const axes = i === 0 ? spec.x : spec.y;
    const last = others.length === 0 && axes.at(-1) === axis ? lastSeen(operand) : undefined;
    const value = last && simple(() => inliner.stretched(last, axes.map(placeOf)));
    if (value && inliner.extents.every((_, loop) => !variesAlong(value, loop)))
      return countUpTo(value, operand.shape.at(-1)!);
  }
  return undefined;
}

/** What can be written over the kernel's loops as they are. */
function simple(write: () => Expression): Expression | undefined {
  try {
    return write();
  } catch (reason) {
    if (reason instanceof NeedsBuffer || reason instanceof SplitLoop) return undefined;
    throw reason;
  }
}

/** The last place along its last axis at which a softmax may be other than 0; undefined where that may be any. */
function lastSeen(x: Tensor): Tensor | undefined {
  const [powers] = x.op === "div" ? x.inputs : [];
  const [shifted] = powers?.op === "exp" ? powers.inputs : [];
  const [scores, largest] = shifted?.op === "sub" ? shifted.inputs : [];
  const [seen, , hidden] = scores?.op === "select" ? scores.inputs : [];
  if (largest?.op !== "reduceMax" || largest.inputs[0] !== scores) return undefined;
  if (seen?.op !== "lessEqual" || hidden?.op !== "constant" || !(attrsOf("constant", hidden).data[0]! <= MASKED))
    return undefined;
  const [place, last] = seen.inputs as [Tensor, Tensor];
  const alongLast = place.op === "iota" && attrsOf("iota", place).axis === place.shape.length - 1;
  return alongLast && place.shape.at(-1) === x.shape.at(-1) ? last : undefined;
}

/** Iterations up to a last one, or all where it is before the first: nothing is seen then, and all weigh the same. */
function countUpTo(last: Expression, extent: number): Expression {
  const all = literal(extent, "int32");
  const none = call("less", "bool", last, literal(0, "int32"));
  const seen = call("add", "int32", last, literal(1, "int32"));
  return call("min", "int32", call("select", "int32", none, all, seen), all);
}
