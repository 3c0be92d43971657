import { add, einsum, reshape } from "@finegrain/graph";
import { expectDivisible } from "../../config-error.ts";
import { glorot, normal, zeros } from "../../init.ts";
import { type Layer, type Param, param } from "../../layer.ts";
import { gate, type MultiplicativeDenseConfig } from "./multiplicative-dense.ts";

export type MultiplicativeModularDenseParams = {
  readonly gating: Param;
  readonly projection: Param;
  readonly modular: Param;
  readonly bias: Param;
};

/**
 * y[s, o] = Σ_{d, x} x_d gating[s, d] projection[d, x] modular[s, x, o], + b: a multiplicative layer with a small dense
 * one in every module. Trax `MultiplicativeModularSparseDense`.
 *
 * Axes: B batch, T time, D in, S modules, X and O features of a module.
 *
 * @throws FinegrainError where `dOut` is not a multiple of `modules`.
 */
export function multiplicativeModularDense({
  dIn,
  dOut,
  modules,
}: Omit<MultiplicativeDenseConfig, "bias">): Layer<MultiplicativeModularDenseParams> {
  const width = expectDivisible("multiplicativeModularDense", "dOut", dOut, "modules", modules);
  return {
    params: {
      gating: param([modules, dIn], normal(0.5)),
      projection: param([width, dIn], glorot(dIn, width)),
      modular: param([modules, width, width], glorot(width, width)),
      bias: param([dOut], zeros),
    },
    apply(w, x) {
      const [batch, time] = x.shape as [number, number];
      const factored = einsum(gate(x, w.gating), w.projection, "B T S D, X D -> B T S X");
      const y = einsum(factored, w.modular, "B T S X, S X O -> B T S O");
      return reshape(add(y, reshape(w.bias, [modules, width])), [batch, time, dOut]);
    },
  };
}
