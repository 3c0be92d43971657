export * from "./backend/backend.ts";
export * from "./backend/create-backend.ts";
export * from "./backend/donations.ts";
export * from "./backend/driver.ts";
export * from "./backend/lowering.ts";
export * from "./backend/once.ts";
export * from "./backend/turn.ts";
export * from "./broadcast.ts";
export * from "./catalog.ts";
export * from "./composites/index.ts";
export { INT4_GROUP, INT4_WORD, INT8_LARGEST, INT8_LEAST_STEP } from "./composites/int4.ts";
export { type ReversibleHalf, streamOf } from "./composites/reversible.ts";
export type { Cost } from "./cost.ts";
export * from "./dequantized.ts";
export * from "./einsum-spec.ts";
export * from "./errors.ts";
export * from "./evaluate.ts";
export * from "./float16.ts";
export * from "./gradient.ts";
export * from "./graph.ts";
export * from "./graph-cost.ts";
export * from "./json.ts";
export {
  type AnyCall,
  type AnyComposite,
  type AnyOp,
  type AnyPrimitive,
  type Call,
  type Composite,
  type CompositeOp,
  type Op,
  type Operand,
  type Primitive,
  type Pullback,
  scalar,
  splitCall,
  type Vjp,
} from "./op.ts";
export * from "./ops/index.ts";
export {
  commonSubexpressions,
  decompose,
  foldConstants,
  int4Products,
  optimize,
  optimizing,
  type Replace,
  rewrite,
  rewriting,
  type Segment,
  type Segments,
  segmentsOf,
  simplify,
} from "./passes/index.ts";
export * from "./philox.ts";
export * from "./print.ts";
export type { ReduceAttrs } from "./reduction.ts";
export * from "./tensor.ts";
export * from "./tree.ts";
export * from "./verify.ts";
