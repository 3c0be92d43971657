import type { DType } from "@finegrain/graph";
import type { ProgramBuffer } from "./buffer.ts";

/** The element-wise primitives of the graph: what an expression is made of. */
export const scalarOps = [
  "neg", "abs", "sign", "exp", "log", "sqrt", "sin", "cos", "tanh", "erf", "floor", "not",
  "add", "sub", "mul", "div", "max", "min", "pow", "rem", "equal", "less", "lessEqual", "and", "or",
  "select", "cast", "shiftRight",
] as const; // biome-ignore format: a table reads better in rows
export type ScalarOp = (typeof scalarOps)[number];

/** What a kernel computes for one element. Values that are used twice are the same object. */
export type Expression = Literal | Load | Place | Call | Reduced;

export interface Literal {
  readonly kind: "literal";
  readonly dtype: DType;
  readonly value: number;
}
/** A part of an index that is known when the kernel runs only: a gathered row, the place of a step in a cache. */
export interface DynamicTerm {
  readonly value: Expression;
  readonly stride: number;
  /** The value is in [0, extent). */
  readonly extent: number;
}

/** An element's place: offset + sum of strides[l] * (loop variable l) + sum of dynamic terms. */
export interface Index {
  readonly offset: number;
  /** By loop, outermost first. */
  readonly strides: readonly number[];
  readonly dynamic: readonly DynamicTerm[];
}

/** An element of a buffer. */
export interface Load {
  readonly kind: "load";
  readonly dtype: DType;
  readonly from: ProgramBuffer;
  readonly at: Index;
}
/** An index as a number: what `iota` is. */
export interface Place {
  readonly kind: "place";
  readonly dtype: "int32";
  readonly at: Index;
}
export interface Call {
  readonly kind: "call";
  readonly op: ScalarOp;
  readonly dtype: DType;
  readonly args: readonly Expression[];
}
/** What the kernel's reduction came to: in its epilogue alone. */
export interface Reduced {
  readonly kind: "reduced";
  readonly dtype: DType;
}

export const literal = (value: number, dtype: DType): Literal => ({ kind: "literal", dtype, value });

export const call = (op: ScalarOp, dtype: DType, ...args: readonly Expression[]): Call => ({
  kind: "call",
  op,
  dtype,
  args,
});

const indexOf = (e: Expression): Index | undefined => (e.kind === "load" || e.kind === "place" ? e.at : undefined);

/** Expressions that one is computed from directly, those in its index included. */
export const operandsOf = (e: Expression): readonly Expression[] =>
  e.kind === "call" ? e.args : (indexOf(e)?.dynamic.map(({ value }) => value) ?? []);

/** Every expression below `roots` and themselves, once each, operands first. */
export function expressionsOf(...roots: readonly Expression[]): Expression[] {
  const seen = new Set<Expression>();
  const visit = (e: Expression): void => {
    if (seen.has(e)) return;
    for (const operand of operandsOf(e)) visit(operand);
    seen.add(e);
  };
  roots.forEach(visit);
  return [...seen];
}

/** Rebuild an expression over other indices; what is shared stays shared. */
export function mapIndices(
  root: Expression,
  change: (at: Index) => Index,
  done = new Map<Expression, Expression>(),
): Expression {
  const known = done.get(root);
  if (known) return known;
  const again = (e: Expression) => mapIndices(e, change, done);
  const moved = (at: Index): Index => {
    const { dynamic, ...rest } = change(at);
    return { ...rest, dynamic: dynamic.map((term) => ({ ...term, value: again(term.value) })) };
  };
  const result: Expression =
    root.kind === "call"
      ? { ...root, args: root.args.map(again) }
      : root.kind === "load" || root.kind === "place"
        ? { ...root, at: moved(root.at) }
        : root;
  done.set(root, result);
  return result;
}

/** Whether the value changes along a loop. */
export function variesAlong(e: Expression, loop: number): boolean {
  return (indexOf(e)?.strides[loop] ?? 0) !== 0 || operandsOf(e).some((operand) => variesAlong(operand, loop));
}
