import {
  add,
  argMax,
  broadcastTo,
  div,
  einsum,
  exp,
  layerNorm,
  mul,
  oneHot,
  reduceSum,
  scalar,
  softmax,
  sub,
  type Tensor,
  transpose,
} from "@finegrain/graph";
import type { Context } from "../../../context.ts";
import { boolean, choice, type Given, group, number, type Resolved } from "../../../definition/option.ts";
import { glorot, ones, zeros } from "../../../init.ts";
import { type DecodedLayer, type Param, param, type Weights } from "../../../layer.ts";
import { defineFeedForward, type FeedForwardDimensions } from "../definition.ts";
import { asTokenChoice, expertCountOfGroups, groupOptions } from "./expert-options.ts";
import { type ExpertsParams, experts } from "./experts.ts";
import { reportRouting, throughMixtures } from "./routing.ts";
import { shuffled } from "./shuffle.ts";
import { LEAKS_ALONG_TIME, tokenGroups } from "./token-groups.ts";

const options = {
  ...groupOptions,
  experts: expertCountOfGroups,
  temperature: number({ above: 0, doc: "logits are divided by it", default: 1 }),
  learnedTemperature: group(["perExpert", "separate", "positive"], {
    doc: "a temperature that is trained: one for each expert, one each for merging and emitting, by its logarithm",
    otherwise: "it is not trained",
  }),
  controllers: choice(["shared", "separate", "common-base", "common-weighted", "separate-weighted"], {
    doc: "where the logits of merging and emitting come from: one matrix, one each, or means of the two",
    default: "shared",
  }),
  merge: choice(["softmax", "logits"], {
    doc: "weights by which tokens are mixed: a softmax over the group's tokens, or the logits as they are",
    default: "softmax",
  }),
  emit: choice(["tokens", "experts", "ones", "top"], {
    doc: "weights by which outputs go back: as merged, a softmax over experts, 1, or 1 for the largest merge weight",
    default: "tokens",
  }),
  layerNorm: boolean({ doc: "LayerNorm of what goes into the experts and of what comes out", default: false }),
  discrete: boolean({ doc: "in evaluation, 1 for the largest weight and 0 for the others", default: false }),
  shuffle: choice(["time", "all"], {
    doc: "in training, mix tokens of random places; only with groups along time",
    otherwise: "tokens keep their places",
  }),
};

export type MixtureOfTokensConfig = FeedForwardDimensions & Given<typeof options>;
type Config = FeedForwardDimensions & Resolved<typeof options>;

type Norm = { readonly scale: Param; readonly bias: Param };
export type MixtureOfTokensParams = {
  /** [D, E] each, and the scalars that weigh them against the base. */
  readonly controller: {
    readonly base?: Param;
    readonly merge?: Param;
    readonly emit?: Param;
    readonly weight?: Param;
    readonly mergeWeight?: Param;
    readonly emitWeight?: Param;
  };
  /** [1] or [E, 1] each. */
  readonly temperature?: { readonly shared?: Param; readonly merge?: Param; readonly emit?: Param };
  readonly experts: ExpertsParams;
  readonly mergedNorm?: Norm;
  readonly expertNorm?: Norm;
};
type W = Weights<MixtureOfTokensParams>;

/** Of both norms, as in PyTorch. */
const EPSILON = 1e-5;

/**
 * Feed-forward layer in which every expert takes one mixture of the tokens of each group.
 *
 *   L = X·C;  M = softmax of L / temperature over the tokens of the group
 *   Z[e] = Σᵢ M[i, e]·X[i];  Y[e] = relu(Z[e]·W₁[e])·W₂[e];  y[i] = Σₑ M[i, e]·Y[e]
 *
 * Everything is differentiable. Arithmetic of a token: 4 D F_all / groupSize + 6 D E. Antoniak et al. 2023, "Mixture of
 * Tokens"; llm-random `ContinuousMoE` and its variants, which are combinations of the options here.
 *
 * Causality: groups across the batch are causal, but a token's output depends on the values of the other sequences of its
 * group. Groups along time are not causal. Decode: every token, of one stream or of a batch of them, is a group of its own,
 * whose mixture is the token itself: all experts read all of it. This is another function than the one that was trained;
 * with one matrix as its controller and nothing else that is trained beside the experts, a run therefore ends its training as a
 * `token-choice` layer of the same weights: the transition of Antoniak et al. 2023, section 3.4.
 *
 * Axes: G groups, T tokens of a group, D model, E experts.
 */
export const mixtureOfTokens = defineFeedForward({
  name: "mixture-of-tokens",
  summary: "each expert takes one mixture of the tokens of every group",
  causality: "across the batch yes (by value other sequences matter), along time no",
  decoding: "every token is a mixture of its own, for all experts",
  options,
  unitStep: "experts",
  endsAs: ({ controllers = "shared", learnedTemperature, layerNorm: isNormed = false, ...config }) =>
    controllers === "shared" && !learnedTemperature && !isNormed ? asTokenChoice(config, "controller.base") : undefined,
  check({ shuffle, groupAlong }, at) {
    if (shuffle !== undefined && groupAlong !== "time") at.refuse(`${at.option("shuffle")} needs groupAlong "time"`);
  },
  build: layer,
  cases: [
    { options: { experts: 4, groupSize: 2 }, decodes: { groupSize: 1 } },
    {
      options: { experts: 4, groupSize: 2, emit: "experts", controllers: "common-weighted", layerNorm: true },
      decodes: { groupSize: 1 },
    },
    {
      options: { experts: 4, groupSize: 2, emit: "ones", learnedTemperature: { separate: true, positive: true } },
      decodes: { groupSize: 1 },
    },
    { options: { experts: 4, groupSize: 2, merge: "logits", discrete: true }, decodes: { groupSize: 1 } },
    { options: { experts: 4, groupSize: 3, groupAlong: "time", shuffle: "all" }, decodes: { groupSize: 1 } },
  ],
});

function layer(config: Config): DecodedLayer<MixtureOfTokensParams> {
  const { dModel, dFf, experts: count, groupSize, groupAlong, discrete, shuffle } = config;
  const expertSize = dFf / count;
  const inner = experts({ dModel, experts: count, expertSize });

  const mix = (w: W, groups: Tensor, isDiscrete: boolean, context: Pick<Context, "expertRanks"> = {}) => {
    const logits = logitsOf(w, groups, config);
    const soft = weightsOf(logits, config);
    const [merge, emit] = isDiscrete
      ? [largest(soft.merge), largestEmitted(soft.emit, config)]
      : [soft.merge, soft.emit];
    const f = (z: Tensor) => normalized(w.expertNorm, inner.apply(w.experts, normalized(w.mergedNorm, z), context));
    return { y: throughMixtures(groups, merge, emit, f), merge, logits: logits.merge };
  };
  return {
    params: {
      controller: controllerParams(config),
      ...temperatureParams(config),
      experts: inner.params,
      ...(config.layerNorm ? { mergedNorm: normParams(dModel), expertNorm: normParams(dModel) } : {}),
    },
    ...(groupAlong === "time" && groupSize > 1 ? { notCausal: LEAKS_ALONG_TIME } : {}),
    apply(w, x, context) {
      const isTraining = context.mode === "train";
      const places = isTraining && shuffle ? shuffled(x, shuffle, context.random) : undefined;
      const { groups, ungroup } = tokenGroups(places?.x ?? x, config);
      const { y, merge, logits } = mix(w, groups, discrete && !isTraining, context);
      reportRouting(context, {
        load: reduceSum(merge, { axes: [0, 2] }),
        taken: reduceSum(mul(merge, merge), { axes: [1] }),
        logits,
      });
      const back = ungroup(y);
      return places ? places.restore(back) : back;
    },
    decode(w, x) {
      const { groups, ungroup } = tokenGroups(x, { groupSize: 1 });
      return ungroup(mix(w, groups, discrete).y);
    },
  };
}

const normParams = (dModel: number): Norm => ({ scale: param([dModel], ones), bias: param([dModel], zeros) });
const normalized = (w: Weights<Norm> | undefined, x: Tensor): Tensor =>
  w ? layerNorm(x, w.scale, w.bias, { epsilon: EPSILON }) : x;

function controllerParams({ dModel, experts: count, controllers }: Config) {
  const matrix = param([dModel, count], glorot(dModel, count));
  const half = param([1], { kind: "constant", value: 0.5 });
  if (controllers === "shared") return { base: matrix };
  const own = { merge: matrix, emit: matrix };
  if (controllers === "separate") return own;
  if (controllers === "common-base") return { base: matrix, ...own };
  if (controllers === "common-weighted") return { base: matrix, ...own, weight: half };
  return { base: matrix, ...own, mergeWeight: half, emitWeight: half };
}

function temperatureParams({ experts: count, learnedTemperature }: Config) {
  if (!learnedTemperature) return {};
  const { perExpert = false, separate = false } = learnedTemperature;
  const one = param(perExpert ? [count, 1] : [1], ones); // exp(1 - 1) where its logarithm is trained
  return { temperature: separate ? { merge: one, emit: one } : { shared: one } };
}

/** Logits over their temperatures: [G, E, T] each, one tensor where they are the same. */
function logitsOf(w: W, groups: Tensor, config: Config): { merge: Tensor; emit: Tensor } {
  const matrix = (own: Tensor | undefined, share: Tensor | undefined): Tensor => {
    const { base } = w.controller;
    if (!own) return base!;
    if (!base) return own;
    return share ? add(mul(share, own), mul(sub(1, share), base)) : add(own, base);
  };
  const { merge, emit, weight, mergeWeight, emitWeight } = w.controller;
  const opinion = (controller: Tensor) => einsum(groups, controller, "G T D, D E -> G E T");
  const merging = opinion(matrix(merge, mergeWeight ?? weight));
  const emitting = emit ? opinion(matrix(emit, emitWeight ?? weight)) : merging;
  const own = w.temperature;
  const [first, second] = [own?.merge ?? own?.shared, own?.emit ?? own?.shared].map((t) => temperatureOf(t, config));
  const cooled = div(merging, first!);
  return { merge: cooled, emit: emitting === merging && !own?.emit ? cooled : div(emitting, second!) };
}

function temperatureOf(learned: Tensor | undefined, config: Config): Tensor {
  if (!learned) return scalar(config.temperature);
  return config.learnedTemperature?.positive ? exp(sub(learned, 1)) : learned;
}

/** Weights of merging and of emitting: [G, E, T] each. */
function weightsOf(
  logits: { readonly merge: Tensor; readonly emit: Tensor },
  { merge: merging, emit: emitting }: Config,
): { merge: Tensor; emit: Tensor } {
  const [merge, own] =
    merging === "logits" ? [logits.merge, logits.emit] : [softmax(logits.merge), softmax(logits.emit)];
  switch (emitting) {
    case "tokens":
      return { merge, emit: logits.emit === logits.merge ? merge : own };
    case "experts":
      return { merge, emit: transpose(softmax(transpose(logits.emit, [0, 2, 1])), [0, 2, 1]) };
    case "ones":
      return { merge, emit: broadcastTo(scalar(1), merge.shape) };
    case "top":
      return { merge, emit: largest(merge) };
  }
}

/** 1 for the largest of the last axis, 0 for the others. */
const largest = (x: Tensor): Tensor => oneHot(argMax(x), { classes: x.shape.at(-1)! });

/** {@link largest} along the axis that the emit weights are a softmax over. */
const largestEmitted = (emit: Tensor, { emit: emitting }: Config): Tensor =>
  emitting === "experts" ? transpose(largest(transpose(emit, [0, 2, 1])), [0, 2, 1]) : largest(emit);
