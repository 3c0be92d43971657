import { add, einsum, mul, silu, type Tensor } from "@finegrain/graph";
import { boolean, choice, type Resolved } from "../../definition/option.ts";
import { glorot, zeros } from "../../init.ts";
import { type Layer, matrix, type Param, param, type Weights } from "../../layer.ts";
import { filtered, kept } from "../projections/active-inputs.ts";
import { activationNames, activations } from "./activation.ts";
import { defineFeedForward, type FeedForwardDimensions } from "./definition.ts";

type MatrixParams = { readonly kernel: Param; readonly bias?: Param };
export type FeedForwardParams = {
  readonly inner: MatrixParams;
  readonly gate?: MatrixParams;
  readonly outer: MatrixParams;
};

const options = {
  activation: choice([...activationNames, "swiglu"], {
    doc: 'of the hidden units; "swiglu" has a third matrix: (silu(x G) * (x W1)) W2, Shazeer 2020',
    default: "relu",
  }),
  bias: boolean({ doc: "every matrix has one", default: true, flag: "feed-forward-bias" }),
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
  cases: [{ options: {} }, { options: { activation: "swiglu" } }, { options: { activation: "swiglu", bias: false } }],
});

function layer({
  dModel,
  dFf,
  activation,
  bias,
  filters: { first, last } = {},
}: FeedForwardDimensions & Resolved<typeof options>): Layer<FeedForwardParams> {
  const init = glorot(dModel, dFf);
  const withBias = (kernel: Param, dOut: number) => (bias ? { kernel, bias: param([dOut], zeros) } : { kernel });
  const inner = withBias(filtered(matrix(dModel, dFf, init), first), dFf);
  const outer = withBias(filtered(param([dModel, dFf], init), last), dModel);
  const into = (w: Weights<MatrixParams>, x: Tensor) =>
    biased(einsum(kept(x, first), w.kernel, "B T D, D F -> B T F"), w);
  return {
    params: activation === "swiglu" ? { inner, gate: inner, outer } : { inner, outer },
    apply(w, x) {
      const units = into(w.inner, x);
      const hidden = activation === "swiglu" ? mul(silu(into(w.gate!, x)), units) : activations[activation](units);
      return biased(einsum(kept(hidden, last), w.outer.kernel, "B T F, D F -> B T D"), w.outer);
    },
  };
}

const biased = (y: Tensor, { bias }: Weights<MatrixParams>): Tensor => (bias ? add(y, bias) : y);
