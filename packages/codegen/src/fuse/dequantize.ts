import { type Call, call, type Expression, type Load, variesAlong } from "../ir/expression.ts";
import type { LoopKernel } from "../ir/kernel.ts";

/** A weight of fewer bits as a number, and what it is scaled with. */
export interface Dequantized {
  /** The cast of the stored weight. */
  readonly value: Expression;
  readonly scale: Load | undefined;
}

/** The parts of `cast(weight)` or `cast(weight) * scale`; undefined for any other expression. */
export function dequantized(e: Expression): Dequantized | undefined {
  if (e.kind !== "call") return undefined;
  if (isStored(e)) return { value: e, scale: undefined };
  const [x, y] = e.args;
  if (e.op !== "mul" || !x || !y) return undefined;
  if (isStored(x) && y.kind === "load") return { value: x, scale: y };
  return isStored(y) && x.kind === "load" ? { value: y, scale: x } : undefined;
}

const stored = new Set(["float16", "int8"]);
const isStored = (e: Expression): boolean =>
  e.kind === "call" && e.op === "cast" && e.args[0]?.kind === "load" && stored.has(e.args[0].dtype);

/**
 * Take the scales out of a product's innermost loop: one that is the same in all of the sum goes to its end, one of each summed row to the
 * other operand, of which there is less.
 */
export function factorScales(kernel: LoopKernel): LoopKernel {
  const { reduction, extents } = kernel;
  if (reduction?.op !== "sum" || reduction.body.kind !== "call" || reduction.body.op !== "mul") return kernel;
  const { body } = reduction;
  const [a, b] = body.args as [Expression, Expression];
  const summed = reduction.extents.map((_, k) => extents.length + k);
  for (const [weight, other] of [
    [a, b],
    [b, a],
  ] as const) {
    const { value, scale } = dequantized(weight) ?? {};
    if (!value || !scale || other.kind !== "load") continue;
    if (!summed.some((loop) => variesAlong(scale, loop)))
      return {
        ...kernel,
        reduction: { ...reduction, body: { ...body, args: [other, value] } },
        result: scaled(kernel.result, scale),
      };
    const scaledOther: Call = { ...body, args: [other, scale] };
    return { ...kernel, reduction: { ...reduction, body: { ...body, args: [scaledOther, value] } } };
  }
  return kernel;
}

/** The expression with the reduction's result times `scale` in place of it. */
function scaled(root: Expression, scale: Load, done = new Map<Expression, Expression>()): Expression {
  if (root.kind === "reduced") return call("mul", root.dtype, root, scale);
  if (root.kind !== "call") return root;
  const known = done.get(root);
  if (known) return known;
  const result = { ...root, args: root.args.map((arg) => scaled(arg, scale, done)) };
  done.set(root, result);
  return result;
}
