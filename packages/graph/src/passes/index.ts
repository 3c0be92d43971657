export * from "./common-subexpressions.ts";
export * from "./decompose.ts";
export * from "./fold-constants.ts";
export * from "./int4-products.ts";
export * from "./optimize.ts";
export * from "./rewrite.ts";
export * from "./segments.ts";
export * from "./simplify.ts";
