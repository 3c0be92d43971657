import type { CompositeLowerings, PrimitiveLowerings } from "@finegrain/graph";
import type { Value } from "./program-builder.ts";

/** An engine's lowering of every primitive, and of the composites for which it has a kernel. */
export type Lowerings = PrimitiveLowerings<Value> & CompositeLowerings<Value>;
/** Some of them. */
export type PartialLowerings = Partial<PrimitiveLowerings<Value>> & CompositeLowerings<Value>;
