import type { AttrsOf, CompositeName, PrimitiveName } from "../catalog.ts";
import type { Tensor } from "../tensor.ts";

type Lower<Value, A> = (inputs: Value[], attrs: A, out: Tensor) => Value;

/** A backend's lowering of every primitive: leave one out and tsc names it. */
export type PrimitiveLowerings<Value> = { readonly [K in PrimitiveName]: Lower<Value, AttrsOf<K>> };
/** The composites that a backend lowers whole; the others run their decompositions. */
export type CompositeLowerings<Value> = { readonly [K in CompositeName]?: Lower<Value, AttrsOf<K>> };
