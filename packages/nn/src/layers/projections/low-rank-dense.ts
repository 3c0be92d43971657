import type { Layer } from "../../layer.ts";
import { type DenseParams, dense } from "./dense.ts";

export interface LowRankDenseConfig {
  readonly dIn: number;
  readonly dOut: number;
  readonly rank: number;
}

export type LowRankDenseParams = { readonly down: DenseParams; readonly up: DenseParams };

/** y = (x A + a) B + b with a narrow middle. Trax `LowRankDense`: both halves have a bias. */
export function lowRankDense({ dIn, dOut, rank }: LowRankDenseConfig): Layer<LowRankDenseParams> {
  const down = dense({ dIn, dOut: rank });
  const up = dense({ dIn: rank, dOut });
  return {
    params: { down: down.params, up: up.params },
    apply: (w, x, context) => up.apply(w.up, down.apply(w.down, x, context), context),
  };
}
