import { add, einsum, mul, reshape, type Tensor } from "@finegrain/graph";
import { expectDivisible } from "../../config-error.ts";
import { glorot, normal, zeros } from "../../init.ts";
import { type Layer, type Param, param } from "../../layer.ts";

export interface MultiplicativeDenseConfig {
  readonly dIn: number;
  readonly dOut: number;
  /** S: the output is cut into as many modules. */
  readonly modules: number;
  /** Default true. */
  readonly bias?: boolean;
}

export type MultiplicativeDenseParams = { readonly gating: Param; readonly projection: Param; readonly bias?: Param };

/** x_d gating[s, d] for every module: [B, T, D] -> [B, T, S, D]. */
export const gate = (x: Tensor, gating: Tensor): Tensor => {
  const [batch, time, dIn] = x.shape as [number, number, number];
  return mul(reshape(x, [batch, time, 1, dIn]), gating);
};

/**
 * y[s, m] = Σ_d x_d gating[s, d] projection[d, m], + b: any matrix of outputs whose modules share one projection.
 *
 * Jaszczur et al. 2021, section 3.2, "multiplicative layer"; Trax `FactoredDense`. It has (S + M) D weights, not S M D.
 * The projection is stored as [M, D], so that a product of one token reads it row by row; theirs is [D, M].
 * Axes: B batch, T time, D in, S modules, M outputs of a module.
 *
 * @throws FinegrainError where `dOut` is not a multiple of `modules`.
 */
export function multiplicativeDense(config: MultiplicativeDenseConfig): Layer<MultiplicativeDenseParams> {
  const { dIn, dOut, modules, bias = true } = config;
  const width = expectDivisible("multiplicativeDense", "dOut", dOut, "modules", modules);
  const gating = param([modules, dIn], normal(0.5));
  const projection = param([width, dIn], glorot(dIn, width));
  return {
    params: bias ? { gating, projection, bias: param([dOut], zeros) } : { gating, projection },
    apply(w, x) {
      const [batch, time] = x.shape as [number, number];
      const modular = einsum(gate(x, w.gating), w.projection, "B T S D, M D -> B T S M");
      // Added in the shape of the sums, so that a compiler can do both in one kernel.
      const y = w.bias ? add(modular, reshape(w.bias, [modules, width])) : modular;
      return reshape(y, [batch, time, dOut]);
    },
  };
}
