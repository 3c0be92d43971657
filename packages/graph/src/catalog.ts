import * as composites from "./composites/index.ts";
import type { AnyComposite, AnyOp, AnyPrimitive, Composite, Primitive } from "./op.ts";
import * as primitives from "./ops/index.ts";

export type PrimitiveName = keyof typeof primitives;
export type CompositeName = keyof typeof composites;
export type OpName = PrimitiveName | CompositeName;

type Ops = typeof primitives & typeof composites;
// biome-ignore lint/suspicious/noExplicitAny: matches an op of any operands
export type AttrsOf<K extends OpName> = Ops[K] extends Primitive<any, infer A> | Composite<any, infer A> ? A : never;

/**
 * Every op by its name. A constant table, not a registry: an op is in it because its folder's index exports it.
 * The signatures are erased: a node's operands and attributes are those that its own op's `infer` accepted.
 */
export const catalog = { ...primitives, ...composites } as unknown as {
  readonly [K in PrimitiveName]: AnyPrimitive;
} & { readonly [K in CompositeName]: AnyComposite };

export const isComposite = (op: AnyOp): op is AnyComposite => "decompose" in op;
export const compositeNames: readonly CompositeName[] = Object.keys(composites) as CompositeName[];
export const primitiveNames: readonly PrimitiveName[] = Object.keys(primitives) as PrimitiveName[];
