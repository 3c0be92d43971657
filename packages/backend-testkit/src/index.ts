export * from "./describe-backend.ts";
export * from "./describe-gradients.ts";
export * from "./describe-ops.ts";
export * from "./describe-products.ts";
export * from "./expect-close.ts";
export * from "./op-call.ts";
export * from "./random-value.ts";
export * from "./run-graph.ts";
