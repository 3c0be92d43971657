import type { CompositeLowerings, PrimitiveLowerings } from "@finegrain/graph";

/** Some of a backend's lowerings, by op. A value of the model is its name. */
export type Lowerings = Partial<PrimitiveLowerings<string>> & CompositeLowerings<string>;
