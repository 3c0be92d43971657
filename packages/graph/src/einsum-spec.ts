import { ShapeError } from "./errors.ts";
import type { Shape } from "./tensor.ts";

/** The axes of an einsum by name, and what each is for: a batched matrix product with the operands' axes in any order. */
export interface EinsumSpec {
  readonly x: readonly string[];
  readonly y: readonly string[];
  readonly out: readonly string[];
  /** In both operands and the result. */
  readonly batch: readonly string[];
  /** In x and the result. */
  readonly rows: readonly string[];
  /** In y and the result. */
  readonly columns: readonly string[];
  /** In both operands, summed. */
  readonly summed: readonly string[];
  /** In one operand alone, summed before the product. */
  readonly lonely: readonly string[];
}

const axes = (text: string): string[] =>
  text
    .trim()
    .split(/\s+/)
    .filter((axis) => axis !== "");

/**
 * Parse "B D, D F -> B F". @throws ShapeError where it is not two operands and a result, an axis is repeated
 * in one of them, or the result has an axis that neither operand has.
 */
export function parseEinsum(text: string): EinsumSpec {
  const match = /^([^,]*),([^,]*)->([^,]*)$/.exec(text);
  if (!match) throw new ShapeError(`einsum "${text}": expected a specification such as "B D, D F -> B F"`);
  const [x, y, out] = match.slice(1).map((part) => axes(part)) as [string[], string[], string[]];
  for (const part of [x, y, out])
    if (new Set(part).size < part.length) throw new ShapeError(`einsum "${text}": [${part.join(" ")}] repeats an axis`);
  const unknown = out.find((axis) => !x.includes(axis) && !y.includes(axis));
  if (unknown) throw new ShapeError(`einsum "${text}": axis ${unknown} of the result is in neither operand`);
  return {
    x,
    y,
    out,
    batch: out.filter((axis) => x.includes(axis) && y.includes(axis)),
    rows: out.filter((axis) => !y.includes(axis)),
    columns: out.filter((axis) => !x.includes(axis)),
    summed: x.filter((axis) => y.includes(axis) && !out.includes(axis)),
    lonely: [...x.filter((axis) => !y.includes(axis)), ...y.filter((axis) => !x.includes(axis))].filter(
      (axis) => !out.includes(axis),
    ),
  };
}

/** Extent of every axis. @throws ShapeError where an operand's rank or two extents of one axis do not fit. */
export function einsumExtents(text: string, spec: EinsumSpec, x: Shape, y: Shape): Map<string, number> {
  const extents = new Map<string, number>();
  for (const [names, shape] of [
    [spec.x, x],
    [spec.y, y],
  ] as const) {
    if (names.length !== shape.length)
      throw new ShapeError(`einsum "${text}": an operand is [${shape}], expected axes [${names.join(" ")}]`);
    names.forEach((axis, i) => {
      const known = extents.get(axis);
      if (known !== undefined && known !== shape[i])
        throw new ShapeError(`einsum "${text}": axis ${axis} is both ${known} and ${shape[i]}`);
      extents.set(axis, shape[i]!);
    });
  }
  return extents;
}
