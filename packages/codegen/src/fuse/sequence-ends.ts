import { parseEinsum, type Tensor } from "@finegrain/graph";
import { call, type Expression, literal, variesAlong } from "../ir/expression.ts";
import { type Index, SplitLoop } from "../ir/index-form.ts";
import type { Reduction } from "../ir/kernel.ts";
import { attrsOf, type Inliner, isElementwise, NeedsBuffer } from "./inline.ts";

/*
 * What a `sequenceMask` says of the kernels around it: a product that reads its zeros may end where they begin, and one whose result it hides
 * from some place on need not compute that.
 */

/**
 * Where a sum of products ends, as {@link Reduction.until} has it: where one of its operands is masked with zeros along what is summed.
 *
 * @param node an einsum.
 * @param placeOf the place along one of its axes.
 * @returns undefined where no mask says so, or its length is not the same for all of the result.
 */
export function untilOf(node: Tensor, placeOf: (axis: string) => Index, inliner: Inliner): Expression | undefined {
  const spec = parseEinsum(attrsOf("einsum", node));
  const [axis, ...others] = [...spec.summed, ...spec.lonely];
  if (others.length > 0) return undefined;
  for (const [i, mask] of node.inputs.entries()) {
    const axes = i === 0 ? spec.x : spec.y;
    if (mask.op !== "sequenceMask" || attrsOf("sequenceMask", mask).value !== 0 || axes.at(-1) !== axis) continue;
    const length = simple(() => inliner.stretched(mask.inputs[1]!, axes.slice(0, -1).map(placeOf)));
    if (length && inliner.extents.every((_, loop) => !variesAlong(length, loop)))
      return within(length, 1, mask.shape.at(-1)!);
  }
  return undefined;
}

/** Where the result asks for the reduction, as {@link Reduction.wanted} has it: before the length of a mask on the way from `reduced` to `x`. */
export function wantedOf(
  x: Tensor,
  reduced: Tensor,
  own: readonly Index[],
  inliner: Inliner,
): Reduction["wanted"] | undefined {
  let mask: Tensor | undefined;
  for (let y = x; y !== reduced; y = y.inputs[0]!) {
    if (!isElementwise(y)) return undefined; // the reduction is another operand's
    if (y.op === "sequenceMask") mask = y;
  }
  return mask && { at: own.at(-1)!, below: inliner.stretched(mask.inputs[1]!, own.slice(0, -1)) };
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

const within = (value: Expression, least: number, most: number): Expression =>
  call("min", "int32", call("max", "int32", value, literal(least, "int32")), literal(most, "int32"));
