import { add, einsum, mul, silu } from "@finegrain/graph";
import { choice, type Resolved } from "../../definition/option.ts";
import { glorot, zeros } from "../../init.ts";
import { type Layer, type Param, param } from "../../layer.ts";
import { activationNames, activations } from "./activation.ts";
import { defineFeedForward, type FeedForwardDimensions } from "./definition.ts";

export type FeedForwardParams = {
  readonly inner: { readonly kernel: Param; readonly bias: Param };
  readonly gate?: { readonly kernel: Param; readonly bias: Param };
  readonly outer: { readonly kernel: Param; readonly bias: Param };
};

const options = {
  activation: choice([...activationNames, "swiglu"], {
    doc: 'of the hidden units; "swiglu" has a third matrix: (silu(x G) * (x W1)) W2, Shazeer 2020',
    default: "relu",
  }),
};

/**
 * y = f(x·W₁ + b₁)·W₂ + b₂. Vaswani et al. 2017, 3.3.
 *
 * Both matrices are stored as [D, F]: a product of one token reads a matrix fastest along its longer axis.
 * Axes: B batch, T time, D model, F hidden units.
 */
export const feedForward = defineFeedForward({
  name: "dense",
  summary: "relu(x W1) W2, or another activation",
  causality: "yes",
  decoding: "the same",
  options,
  build: layer,
  cases: [{ options: {} }, { options: { activation: "swiglu" } }],
});

function layer({
  dModel,
  dFf,
  activation,
}: FeedForwardDimensions & Resolved<typeof options>): Layer<FeedForwardParams> {
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
