import {
  broadcastTo,
  einsum,
  FinegrainError,
  layerNorm,
  mean,
  mul,
  oneHot,
  pow,
  reduceSum,
  reshape,
  scalar,
  scatterAdd,
  softmax,
  type Tensor,
  topK,
  transpose,
} from "@finegrain/graph";
import type { Context } from "../../../context.ts";
import { boolean, choice, type Given, number, type Resolved, whole } from "../../../definition/option.ts";
import { glorot, ones, zeros } from "../../../init.ts";
import { type DecodedLayer, type Param, param, type Weights } from "../../../layer.ts";
import { defineFeedForward, type FeedForwardDimensions } from "../definition.ts";
import { expertCountOfGroups, expertOptions, usualGroupSize } from "./expert-options.ts";
import { type ExpertsParams, experts, ofAllExperts } from "./experts.ts";
import { addLoss, atSlots, reportRouting, routerZLoss, throughChosen, throughSlots } from "./routing.ts";
import { tokenGroups } from "./token-groups.ts";

const options = {
  groupSize: whole({
    doc: "sequences of a group, which are batch / groupSize apart",
    otherwise: "the whole batch",
    suggest: usualGroupSize,
  }),
  experts: expertCountOfGroups,
  capacityFactor: number({ above: 0, doc: "experts of a token on average", default: 1, flag: "capacity" }),
  choiceOver: choice(["batch", "all"], {
    doc: "what experts choose from: the tokens at one position of groupSize sequences, or all of the batch",
    default: "batch",
  }),
  softmaxOver: choice(["experts", "tokens"], { doc: "what a token's weight is a softmax over", default: "experts" }),
  layerNorm: boolean({ doc: "LayerNorm of the output", default: true }),
  learnedExponent: boolean({ doc: "raise weights to a learned power", default: false }),
  router: choice(["own", "inner"], {
    doc: "a matrix of its own, or the mean of each expert's inner kernel",
    default: "own",
  }),
  zLoss: number({ least: 0, doc: "weight of the router z-loss", default: 0 }),
  ...expertOptions,
};

export type ExpertChoiceConfig = FeedForwardDimensions & Given<typeof options>;
type Config = FeedForwardDimensions & Resolved<typeof options>;

export type ExpertChoiceParams = {
  readonly router?: Param;
  readonly exponent?: Param;
  readonly experts: ExpertsParams;
  readonly norm?: { readonly scale: Param; readonly bias: Param };
};

/** Of the output's LayerNorm, as in PyTorch. */
const EPSILON = 1e-5;

const NO_DECODE = 'with softmaxOver "tokens" there is no decode, since a token alone has nothing to be compared with';

/**
 * Mixture of Experts in which every expert chooses its most probable tokens, so that all have the same work.
 *
 *   L = x·R;  P = softmax of L over the experts, or over the tokens of a group;  k = capacityFactor · n / E of n tokens
 *   y = LayerNorm(Σₑ P[e]·expertₑ(x) over the experts that took the token)
 *
 * A token may be taken by none, or by many; the choice has no gradient, P has. Zhou et al. 2022; finer experts (`experts` G
 * times more at the same `dFf`, a `capacityFactor` G times larger): Krajewski et al. 2024. llm-random `ExpertChoiceFF`, whose
 * `topk_fraction` is our capacityFactor / experts.
 *
 * Causality: over "batch" it is causal, and other sequences matter by the choice (by value too where softmaxOver is
 * "tokens"); over "all" it is not. Decode: every token, of one stream or of a batch of them, takes by itself its
 * capacityFactor (rounded, at least one) most probable experts, weighted as in training, and reads only their weights. With
 * softmaxOver "tokens" there is no decode: a token alone has nothing to be compared with.
 *
 * Axes: G groups, T tokens of a group, N = G · T tokens, D model, E experts, K tokens that an expert takes of a group.
 */
export const expertChoice = defineFeedForward({
  name: "expert-choice",
  summary: "each expert takes its best tokens, `capacityFactor` experts a token on average",
  causality: "over the batch at one position yes, over all tokens no",
  decoding: "a token takes its `capacityFactor` best experts, reads those",
  options,
  unitStep: "experts",
  build: layer,
  cases: [
    // With as many experts a token as there are, choosing makes no difference: all take every token.
    { options: { experts: 4, capacityFactor: 4 } },
    {
      options: { experts: 4, capacityFactor: 4, router: "inner", learnedExponent: true, layerNorm: false, gated: true },
    },
    {
      options: { experts: 4, groupSize: 2, capacityFactor: 4, zLoss: 0.1 },
      decodes: { groupSize: 1 },
    },
    { options: { experts: 4, choiceOver: "all", softmaxOver: "tokens" }, decodes: "none" },
  ],
});

function layer(config: Config): DecodedLayer<ExpertChoiceParams> {
  const { dModel, dFf, experts: count, capacityFactor, choiceOver, zLoss } = config;
  const { softmaxOver, router, learnedExponent, activation, gated } = config;
  const expertSize = dFf / count;
  const inner = experts({ dModel, experts: count, expertSize, activation, gated });

  type W = Weights<ExpertChoiceParams>;
  const logitsOf = (w: W, x: Tensor, axes: "G T" | "N", context: Pick<Context, "expertRanks"> = {}): Tensor => {
    if (w.router) return einsum(x, w.router, `${axes} D, D E -> ${axes} E`);
    const inner = ofAllExperts(mean(w.experts.inner.kernel, { axes: [2] }), count, context);
    return einsum(x, inner, `${axes} D, E D -> ${axes} E`);
  };
  const weigh = (w: W, probabilities: Tensor): Tensor => (w.exponent ? pow(probabilities, w.exponent) : probabilities);
  const normalized = (w: W, y: Tensor): Tensor =>
    w.norm ? layerNorm(y, w.norm.scale, w.norm.bias, { epsilon: EPSILON }) : y;
  /** By expert: [G, T, E] logits -> [G, E, T]. */
  const byExpert = (logits: Tensor): Tensor =>
    softmaxOver === "tokens" ? softmax(transpose(logits, [0, 2, 1])) : transpose(softmax(logits), [0, 2, 1]);

  return {
    params: {
      ...(router === "own" ? { router: param([dModel, count], glorot(dModel, count)) } : {}),
      ...(learnedExponent ? { exponent: param([], ones) } : {}),
      experts: inner.params,
      ...(!config.layerNorm ? {} : { norm: { scale: param([dModel], ones), bias: param([dModel], zeros) } }),
    },
    ...(choiceOver === "all" ? { notCausal: "experts that choose over all tokens see later ones" } : {}),
    ...(softmaxOver === "tokens" ? { noDecode: NO_DECODE } : {}),
    apply(w, x, context) {
      const { groups, ungroup } = choiceGroups(x, config);
      const logits = logitsOf(w, groups, "G T", context);
      const probabilities = byExpert(logits);
      const choice = { probabilities, weights: weigh(w, probabilities), k: tokensOf(config, groups.shape[1]!) };
      const take = choiceOver === "all" ? takeOfAll : takeOfGroups;
      const { y, load, taken } = take(groups, choice, (rows) => inner.apply(w.experts, rows, context));
      addLoss(context, "routerZ", zLoss, routerZLoss(logits));
      reportRouting(context, { load, taken, logits });
      return normalized(w, ungroup(y));
    },
    decode(w, x) {
      if (softmaxOver === "tokens") throw new FinegrainError(`expertChoice: ${NO_DECODE}`);
      const tokens = reshape(x, [x.shape[0]! * x.shape[1]!, dModel]);
      const logits = logitsOf(w, tokens, "N");
      const chosen = topK(logits, { k: Math.min(count, Math.max(1, Math.round(capacityFactor))) });
      return normalized(
        w,
        reshape(throughChosen(inner, w.experts, tokens, chosen, weigh(w, softmax(logits))), x.shape),
      );
    },
  };
}

/** Tokens that an expert takes of `tokens`. @throws FinegrainError where that is none, or more than there are. */
function tokensOf({ capacityFactor, experts: count }: Config, tokens: number): number {
  const k = roundHalfToEven((capacityFactor * tokens) / count);
  if (k < 1 || k > tokens)
    throw new FinegrainError(
      `expertChoice: each of ${count} experts would take ${k} of ${tokens} tokens with a capacityFactor of ${capacityFactor}`,
    );
  return k;
}

function choiceGroups(x: Tensor, { choiceOver, groupSize }: Config) {
  const [batch, time, features] = x.shape as [number, number, number];
  if (choiceOver === "all")
    return { groups: reshape(x, [1, batch * time, features]), ungroup: (y: Tensor) => reshape(y, x.shape) };
  return tokenGroups(x, { groupSize: groupSize ?? batch, groupAlong: "batch", spread: true });
}

/** What experts choose by, what their outputs count, both [G, E, T], and how many tokens they take of a group. */
interface Choice {
  readonly probabilities: Tensor;
  readonly weights: Tensor;
  readonly k: number;
}

/** Sum over the experts that took a token: [G, T, D]; how many each took: [E]; by how many a token was taken: [G, T]. */
interface Taken {
  readonly y: Tensor;
  readonly load: Tensor;
  readonly taken: Tensor;
}

/** Groups are small: tokens are brought in and put back by products with one-hot matrices. */
function takeOfGroups(groups: Tensor, { probabilities, weights, k }: Choice, f: (rows: Tensor) => Tensor): Taken {
  const [g, count, tokens] = probabilities.shape as [number, number, number];
  const dModel = groups.shape[2]!;
  const hot = oneHot(topK(probabilities, { k }), { classes: tokens });
  const merged = einsum(hot, groups, "G E K T, G T D -> E G K D");
  const y = reshape(f(reshape(merged, [count, g * k, dModel])), [count, g, k, dModel]);
  const weighted = mul(hot, reshape(weights, [g, count, 1, tokens]));
  return {
    y: einsum(weighted, y, "G E K T, E G K D -> G T D"),
    load: reduceSum(hot, { axes: [0, 2, 3] }),
    taken: reduceSum(hot, { axes: [1, 2] }),
  };
}

/** One group of all tokens is too large for one-hot matrices: rows are gathered, and added where they came from. */
function takeOfAll(groups: Tensor, { probabilities, weights, k }: Choice, f: (rows: Tensor) => Tensor): Taken {
  const [, tokens, dModel] = groups.shape as [number, number, number];
  const count = probabilities.shape[1]!;
  const slots = topK(reshape(probabilities, [count, tokens]), { k });
  const byToken = transpose(reshape(weights, [count, tokens]), [1, 0]);
  const rows = reshape(groups, [tokens, dModel]);
  const one = broadcastTo(scalar(1), slots.shape);
  return {
    y: reshape(throughSlots(rows, { tokens: slots, weights: atSlots(byToken, slots) }, f), groups.shape),
    load: reduceSum(one, { axes: [1] }),
    taken: scatterAdd(slots, one, { rows: tokens }),
  };
}

/** As Python's `round`, by which the original counts. */
function roundHalfToEven(x: number): number {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}
