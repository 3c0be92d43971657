import {
  add,
  cast,
  constant,
  einsum,
  equal,
  less,
  reduceMax,
  reduceSum,
  select,
  softmax,
  type Tensor,
} from "@finegrain/graph";
import type { Context } from "../../../context.ts";
import type { Given, Resolved } from "../../../definition/option.ts";
import { glorot } from "../../../init.ts";
import { type DecodedLayer, type Param, param, type Weights } from "../../../layer.ts";
import { defineFeedForward, type FeedForwardDimensions } from "../definition.ts";
import { asTokenChoice, expertCountOfGroups, groupOptions } from "./expert-options.ts";
import { type ExpertsParams, experts } from "./experts.ts";
import { reportRouting, throughMixtures } from "./routing.ts";
import { LEAKS_ALONG_TIME, tokenGroups } from "./token-groups.ts";

const options = { ...groupOptions, experts: expertCountOfGroups };

export type GroupedFeedForwardConfig = FeedForwardDimensions & Given<typeof options>;
export type GroupedFeedForwardParams = { readonly controller: Param; readonly experts: ExpertsParams };

/** Among equal logits of a group the later token wins: they are raised by up to this much. */
const TIE_BREAK = 1e-6;

/**
 * Feed-forward layer in which every expert takes one token of each group, brought in and put back by dense products.
 *
 *   L = X·C + ramp;  P = softmax of L over the tokens of the group;  Q = P where L is its expert's largest, else 0
 *   M[e] = Σᵢ Q[i, e]·X[i];  Y[e] = relu(M[e]·W₁[e] + b₁[e])·W₂[e];  y[i] = Σₑ Q[i, e]·Y[e]
 *
 * A token may be taken by no expert (its output is 0) or by many. The choice has no gradient; P has. Arithmetic of a token:
 * 4 D F_all / groupSize + 6 D E. Jaszczur 2022, "Fine-Grained Conditional Computation in Transformers" (the talk); llm-random
 * `RewrittenSplitFF`, whose `sparsity` is our `groupSize`.
 *
 * Causality: groups across the batch are causal, and other sequences matter by the choice alone. Groups along time are not:
 * whether a token is taken depends on later ones. Decode: every token, of one stream or of a batch of them, is a group of
 * its own, which all experts take with weight 1: the dense layer of the same weights. This is another function than the one
 * that was trained; a run therefore ends its training as a `token-choice` layer of the same weights.
 *
 * Axes: G groups, T tokens of a group, D model, E experts, F units of an expert.
 */
export const groupedFeedForward = defineFeedForward({
  name: "grouped",
  summary: "each expert takes one token of every group of `groupSize`, by products with one-hot matrices",
  causality: "across the batch yes, along time no",
  decoding: "every token is a group of one, which all experts take",
  options,
  unitStep: "experts",
  endsAs: (config) => asTokenChoice({ ...config, bias: true }, "controller"),
  build: layer,
  cases: [
    { options: { experts: 4, groupSize: 2 }, decodes: { groupSize: 1 } },
    { options: { experts: 4, groupSize: 3, groupAlong: "time" }, decodes: { groupSize: 1 } },
  ],
});

function layer(config: FeedForwardDimensions & Resolved<typeof options>): DecodedLayer<GroupedFeedForwardParams> {
  const { dModel, dFf, experts: count, groupSize, groupAlong } = config;
  const expertSize = dFf / count;
  const inner = experts({ dModel, experts: count, expertSize, bias: true });
  const step = groupSize > 1 ? TIE_BREAK / (groupSize - 1) : 0;
  const ramp = constant({
    dtype: "float32",
    shape: [groupSize],
    data: Array.from({ length: groupSize }, (_, i) => i * step),
  });

  /** P where the expert takes the token, else 0: [G, T, D] -> [G, E, T]. */
  const choose = (controller: Tensor, groups: Tensor) => {
    const opinion = einsum(groups, controller, "G T D, D E -> G E T");
    const logits = groups.shape[1] === groupSize ? add(opinion, ramp) : opinion;
    const isTaken = equal(logits, reduceMax(logits, { axes: [2], keepDims: true }));
    return { weights: select(isTaken, softmax(logits), 0), logits };
  };
  const mix = (
    w: Weights<GroupedFeedForwardParams>,
    groups: Tensor,
    weights: Tensor,
    context?: Pick<Context, "expertRanks">,
  ): Tensor => throughMixtures(groups, weights, weights, (rows) => inner.apply(w.experts, rows, context));
  return {
    params: { controller: param([dModel, count], glorot(dModel, count)), experts: inner.params },
    ...(groupAlong === "time" && groupSize > 1 ? { notCausal: LEAKS_ALONG_TIME } : {}),
    apply(w, x, context) {
      const { groups, ungroup } = tokenGroups(x, { ...config, spread: true });
      const { weights, logits } = choose(w.controller, groups);
      const isTaken = cast(less(0, weights), "float32");
      const [load, taken] = [reduceSum(isTaken, { axes: [0, 2] }), reduceSum(isTaken, { axes: [1] })];
      reportRouting(context, { load, taken, logits });
      return ungroup(mix(w, groups, weights, context));
    },
    decode(w, x) {
      const { groups, ungroup } = tokenGroups(x, { groupSize: 1 });
      return ungroup(mix(w, groups, choose(w.controller, groups).weights));
    },
  };
}
