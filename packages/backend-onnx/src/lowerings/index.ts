import type { CompositeName, PrimitiveLowerings } from "@finegrain/graph";
import type { ModelBuilder } from "../model-builder.ts";
import { lowerEinsum } from "./einsum.ts";
import { elementwise } from "./elementwise.ts";
import { indexing } from "./indexing.ts";
import type { Lowerings } from "./lowering.ts";
import { reductions } from "./reductions.ts";
import { shapes } from "./shape.ts";

/** Ops whose values the host computes before a run and hands over: {@link HostValues}. */
type FromHost = "randomBits" | "uniform";

/** Every op that becomes nodes of the model. The type of the whole table is exhaustive over the primitives. */
export const lowerings = (m: ModelBuilder) =>
  ({
    ...elementwise(m),
    ...shapes(m),
    ...reductions(m),
    ...indexing(m),
    einsum: (inputs, spec, out) => lowerEinsum(m, inputs, spec, out, 1),
  }) satisfies Lowerings & Omit<PrimitiveLowerings<string>, FromHost>;

/** The composites that ONNX Runtime runs whole; the others are decomposed. */
export const lowersWhole: ReadonlySet<CompositeName> = new Set<CompositeName>([
  "cachedAttention",
  "fastGelu",
  "gelu",
  "layerNorm",
  "logSoftmax",
  "mean",
  "oneHot",
  "relu",
  "rmsNorm",
  "sigmoid",
  "silu",
  "softmax",
  "uniform",
]);
