import type { Layer, Params } from "../../layer.ts";
import { dense } from "./dense.ts";
import { lowRankDense } from "./low-rank-dense.ts";
import { multiplicativeDense } from "./multiplicative-dense.ts";

/** What turns features into the logits of the vocabulary. */
export type LossLayerConfig =
  | { readonly type: "dense" }
  /** A multiplicative layer of `modules` modules: "sparse loss layer", Jaszczur et al. 2021, 3.3. */
  | { readonly type: "multiplicative"; readonly modules: number }
  | { readonly type: "low-rank"; readonly rank: number };

/** Trax `SparseDenseWithOptions`. @throws FinegrainError where the vocabulary is not a multiple of `modules`. */
export function lossLayer(config: LossLayerConfig, { dIn, dOut }: { dIn: number; dOut: number }): Layer<Params> {
  switch (config.type) {
    case "dense":
      return dense({ dIn, dOut });
    case "multiplicative":
      return multiplicativeDense({ dIn, dOut, modules: config.modules });
    case "low-rank":
      return lowRankDense({ dIn, dOut, rank: config.rank });
  }
}
