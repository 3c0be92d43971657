import { add, einsum, mul, silu } from "@finegrain/graph";
import { glorot, zeros } from "../../init.ts";
import { type Layer, type Param, param } from "../../layer.ts";
import { type Activation, activations } from "./activation.ts";

export interface FeedForwardConfig {
  readonly dModel: number;
  readonly dFf: number;
  /** Default "relu". "swiglu" has a third matrix: (silu(x·G) ⊙ (x·W₁))·W₂, Shazeer 2020. */
  readonly activation?: Activation | "swiglu";
}

export type FeedForwardParams = {
  readonly inner: { readonly kernel: Param; readonly bias: Param };
  readonly gate?: { readonly kernel: Param; readonly bias: Param };
  readonly outer: { readonly kernel: Param; readonly bias: Param };
};

/**
 * y = f(x·W₁ + b₁)·W₂ + b₂. Vaswani et al. 2017, 3.3.
 *
 * Both matrices are stored as [D, F]: a product of one token reads a matrix fastest along its longer axis.
 * Axes: B batch, T time, D model, F hidden units.
 */
export function feedForward({ dModel, dFf, activation = "relu" }: FeedForwardConfig): Layer<FeedForwardParams> {
  const kernel = param([dModel, dFf], glorot(dModel, dFf));
  const inner = { kernel, bias: param([dFf], zeros) };
  const outer = { kernel, bias: param([dModel], zeros) };
  return {
    params: activation === "swiglu" ? { inner, gate: inner, outer } : { inner, outer },
    apply(w, x) {
      const units = add(einsum(x, w.inner.kernel, "B T D, D F -> B T F"), w.inner.bias);
      const hidden =
        activation === "swiglu"
          ? mul(silu(add(einsum(x, w.gate!.kernel, "B T D, D F -> B T F"), w.gate!.bias)), units)
          : activations[activation](units);
      return add(einsum(hidden, w.outer.kernel, "B T F, D F -> B T D"), w.outer.bias);
    },
  };
}
