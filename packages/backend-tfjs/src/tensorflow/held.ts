import { broadcastShape, type Shape, sameShape, size } from "@finegrain/graph";
import type { Value } from "../program-builder.ts";

/**
 * Which shape a tensor has where it lies. A reshape costs as much as any other operation, so that it is put off until one
 * needs it: most do not, since a decode step's tensors differ in leading ones alone.
 */
export const heldShape = (x: Value): Shape => x.held ?? x.shape;

const withoutLeadingOnes = (shape: Shape): Shape => {
  const first = shape.findIndex((n) => n !== 1);
  return first < 0 ? [] : shape.slice(first);
};

/** Whether two shapes differ in leading ones alone. */
export const isSameButForOnes = (a: Shape, b: Shape): boolean =>
  sameShape(withoutLeadingOnes(a), withoutLeadingOnes(b));

/** How many of the last axes two shapes share. */
function commonSuffix(a: Shape, b: Shape): number {
  let n = 0;
  while (n < Math.min(a.length, b.length) && a.at(-1 - n) === b.at(-1 - n)) n++;
  return n;
}

/**
 * Whether an operand may stay as it is held, where the result of an element-wise operation of shape `out` is held as `goal`:
 * it has the result's elements in their order, or stretches along leading axes alone, or is one number a row.
 */
function fits(x: Value, goal: Shape, out: Shape): boolean {
  const held = heldShape(x);
  if (size(x.shape) === 1) return held.length <= goal.length;
  if (sameShape(x.shape, out)) return isSameButForOnes(held, goal);
  const own = withoutLeadingOnes(x.shape);
  if (isSameButForOnes(held, x.shape) && own.length <= commonSuffix(goal, out)) return true;
  const rows = (shape: Shape) => shape.slice(0, -1);
  return (
    sameShape(rows(x.shape), rows(out)) &&
    sameShape(rows(held), rows(goal)) &&
    held.at(-1) === x.shape.at(-1) &&
    goal.at(-1) === out.at(-1)
  );
}

/** How an element-wise operation runs with the fewest reshapes: the shape of each operand, and the result's. */
export function settleElementwise(
  operands: readonly Value[],
  out: Shape,
): { readonly shapes: readonly Shape[]; readonly held: Shape } {
  const full = operands.filter(({ shape }) => sameShape(shape, out));
  const goals = [...full.map(heldShape), out];
  const plans = goals.flatMap((goal) => {
    const moves = operands.filter((x) => !fits(x, goal, out));
    const isPossible = sameShape(goal, out) || moves.every((x) => sameShape(x.shape, out));
    return isPossible ? [{ goal, moves }] : [];
  });
  const best = plans.reduce((a, b) => (b.moves.length < a.moves.length ? b : a));
  const shapes = operands.map((x) =>
    !best.moves.includes(x) ? heldShape(x) : sameShape(x.shape, out) ? best.goal : x.shape,
  );
  return { shapes, held: shapes.reduce((a, b) => broadcastShape("tensorflow", a, b), best.goal) };
}
