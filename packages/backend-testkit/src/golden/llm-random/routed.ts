import { constant, scalar, scatterAdd, type Tensor, transpose } from "@finegrain/graph";
import {
  type Activation,
  expertChoice,
  type GroupedFeedForwardConfig,
  type GroupedFeedForwardParams,
  groupedFeedForward,
  type MixtureOfTokensConfig,
  mixtureOfTokens,
  type RandomSource,
  tokenChoice,
  training,
  type Weights,
} from "@finegrain/nn";
import type { Arguments } from "../arguments.ts";
import { Unsupported } from "../case.ts";
import type { Given, WeightSource } from "../given.ts";
import { expertWeights } from "./weights.ts";

/*
 * llm-random's layers of conditional computation. Axes: E experts, D model, F units of an expert.
 */

export function groupedOptions(options: Arguments): GroupedFeedForwardConfig {
  const [dModel, count] = [options.number("dm"), options.number("nexperts")];
  const dFf = count * options.number("expertsize");
  options.any("dff");
  return { dModel, dFf, experts: count, groupSize: options.number("sparsity"), groupAlong: "time" };
}

/** f1 [D, E, F] as [E, D, F]. */
export function groupedWeights(source: WeightSource): Weights<GroupedFeedForwardParams> {
  const inner = { kernel: transpose(source.take("f1"), [1, 0, 2]), bias: source.take("f1b") };
  return { controller: source.take("controller"), experts: { inner, outer: { kernel: source.take("f2") } } };
}

const groupedCase = (given: Given): Tensor =>
  groupedFeedForward(groupedOptions(given.arguments)).apply(groupedWeights(given), given.input(), given.context);

/** The experts' own options. */
function expertsOf(options: Arguments) {
  const count = options.number("n_experts");
  return {
    dModel: options.number("dmodel"),
    experts: count,
    dFf: count * options.number("expert_size"),
    gated: options.oneOf("expert", ["ff", "gated"], "ff") === "gated",
    activation: options.oneOf<Activation>("activation", ["relu", "gelu", "silu"], "relu"),
  };
}

function expertChoiceCase(given: Given): Tensor {
  const { arguments: options } = given;
  const shape = expertsOf(options);
  for (const sameNumbers of ["one_hot_impl", "use_torch_bmm"]) options.any(sameNumbers);
  const byBatch = options.boolean("group_by_batch", false);
  const groupSize = byBatch ? options.any("group_size") : undefined;
  const fromInner = options.any("get_router_values_from") === "lin1_weight";
  const exponent = options.any("moe_values_exp");
  const config = {
    ...shape,
    capacityFactor: options.number("topk_fraction") * shape.experts,
    choiceOver: byBatch ? "batch" : "all",
    ...(typeof groupSize === "number" ? { groupSize } : {}),
    softmaxOver: options.oneOf("softmax_over", ["tokens", "experts"], "tokens"),
    layerNorm: options.boolean("use_layer_norm", true),
    zLoss: options.number("zloss_weight", 0),
    router: fromInner ? "inner" : "own",
  } as const;
  const w = {
    ...(fromInner ? {} : { router: given.take("gating.gate") }),
    experts: expertWeights(given, shape.gated),
    ...(config.layerNorm ? { norm: { scale: given.take("ln.l.weight"), bias: given.take("ln.l.bias") } } : {}),
    ...exponentOf(given, exponent),
  };
  return expertChoice({ ...config, learnedExponent: w.exponent !== undefined }).apply(w, given.input(), given.context);
}

/** A number, or null where it is learned. */
function exponentOf(given: Given, value: unknown): { exponent?: Tensor } {
  if (value === undefined || value === 1) return {};
  return { exponent: typeof value === "number" ? scalar(value) : given.take("gating.moe_values_exp") };
}

/** Where experts drop tokens, which they are is the original's own order: what it kept goes first. */
function tokenChoiceCase(given: Given): Tensor {
  const { arguments: options } = given;
  const shape = expertsOf(options);
  const k = options.number("routing_top_k", 1);
  const layer = tokenChoice({
    ...shape,
    k,
    capacityFactor: options.number("capacity_factor"),
    loadBalancing: options.number("load_balancing_loss_weight", 0),
    zLoss: options.number("zloss_weight", 0),
  });
  const w = { router: given.take("gating.gate"), experts: expertWeights(given, shape.gated) };
  const [x, kept] = [given.input(), "route.kept_mask"];
  const asked = x.shape[0]! * x.shape[1]! * k;
  const isDropping = given.hasTensor(kept) && Array.from(given.stored(kept).data).reduce((a, b) => a + b) < asked;
  return isDropping ? layer.applyInOrder(w, x, given.tensor(kept), given.context) : layer.apply(w, x, given.context);
}

/** What the variants of ContinuousMoE are, by their classes' last words. */
const variants: Readonly<Record<string, Partial<MixtureOfTokensConfig>>> = {
  "": {},
  AdaTemp: { learnedTemperature: {} },
  AdaTempPositive: { learnedTemperature: { positive: true } },
  CommonWeightedParameters: { controllers: "common-weighted" },
  Final: { controllers: "common-base", learnedTemperature: {} },
  Layernorm: { layerNorm: true },
  MergeDifferentlyCommonBase: { controllers: "common-base" },
  MergeDifferentlySimple: { controllers: "separate" },
  Nosoftmax: { merge: "logits", layerNorm: true },
  RandomGroups: { shuffle: "time" },
  Rawmerge: { emit: "ones" },
  SeparateWeightedParameters: { controllers: "separate-weighted" },
  Topmerge: { emit: "top" },
};

/** Variants that the original's last version computes otherwise than it says: README.md of the cases, "Quirks". */
const BROKEN_AT_HEAD = /ContinuousMoE(AdaTemp|Rawmerge|Topmerge|Layernorm)$/;

/** @throws Unsupported where the original computes another function than its name and options say. */
function expectSound({ metadata }: Given, { learnedTemperature }: MixtureOfTokensConfig): void {
  if (metadata.era !== "head") return;
  if (BROKEN_AT_HEAD.test(metadata.class!)) throw new Unsupported(`the layer ${metadata.class}, broken at the head`);
  if (learnedTemperature?.positive && learnedTemperature.separate)
    throw new Unsupported("a temperature of its own for emitting, which the original leaves unused at the head");
}

/** Their weights' names by ours. */
const controllerNames = {
  base: "controller_base",
  merge: "controller_merge",
  emit: "controller_emit",
  weight: "parameters_matrix_weight",
  mergeWeight: "merge_parameters_matrix_weight",
  emitWeight: "emit_parameters_matrix_weight",
};

function mixtureCase(variant: Partial<MixtureOfTokensConfig>): (given: Given) => Tensor {
  return (given) => {
    const config = mixtureOptions(given, variant);
    expectSound(given, config);
    // Both matrices are [D, E, F] at the talk's time and in the class that keeps its layout.
    const legacy = given.metadata.era === "mot" || given.metadata.class!.startsWith("Legacy");
    const [lin1, lin2] = [given.take("lin1"), given.take("lin2")];
    const norm = (name: string) => ({ scale: given.take(`${name}.weight`), bias: given.take(`${name}.bias`) });
    const isAlone = given.has("controller");
    const controller = isAlone
      ? { base: given.take("controller") }
      : Object.fromEntries(
          Object.entries(controllerNames).flatMap(([ours, name]) =>
            given.has(name) ? [[ours, given.take(name)]] : [],
          ),
        );
    const w = {
      controller,
      ...(config.learnedTemperature ? { temperature: temperatureWeights(given, config) } : {}),
      experts: {
        inner: { kernel: legacy ? transpose(lin1, [1, 0, 2]) : lin1 },
        outer: { kernel: legacy ? transpose(lin2, [1, 2, 0]) : lin2 },
      },
      ...(config.layerNorm ? { mergedNorm: norm("layernorm1"), expertNorm: norm("layernorm2") } : {}),
    };
    const context = config.shuffle ? training(drawing(given.tensor("random.perm"))) : given.context;
    return mixtureOfTokens(config).apply(w, given.input(), context);
  };
}

function mixtureOptions({ arguments: options }: Given, variant: Partial<MixtureOfTokensConfig>): MixtureOfTokensConfig {
  const [dModel, count, groupSize] = [options.number("dm"), options.number("n_experts"), options.number("group_size")];
  const isMatched = options.boolean("flop_matched", false);
  const dff = options.number("dff");
  const dFf = isMatched ? 4 * dModel * groupSize : count * options.number("expert_size", dff / count);
  if (isMatched) options.any("expert_size");
  const isEmittedOverExperts = options.boolean("emit_softmax_over_experts", false);
  const learned = variant.learnedTemperature && {
    ...variant.learnedTemperature,
    perExpert: !options.boolean("share_by_experts", true),
    separate: !options.boolean("share_by_emit_merge", true),
  };
  if (learned) options.any("temperature"); // where learned ones start
  const isMixingAll = variant.shuffle !== undefined && options.boolean("mix_whole_batch", false);
  for (const size of variant.shuffle ? ["batch_size", "seqlen"] : []) options.any(size);
  return {
    ...variant,
    dModel,
    dFf,
    experts: count,
    groupSize,
    groupAlong: options.number("sparsity_dim", 0) === 0 ? "batch" : "time",
    ...(learned ? { learnedTemperature: learned } : { temperature: options.number("temperature", 1) }),
    ...(isEmittedOverExperts ? { emit: "experts" } : {}),
    discrete: options.boolean("use_discrete_routing", false),
    ...(isMixingAll ? { shuffle: "all" } : {}),
  };
}

/** One that is shared has the name of the emitting one. */
const temperatureWeights = (given: Given, { learnedTemperature }: MixtureOfTokensConfig) =>
  learnedTemperature?.separate
    ? { merge: given.take("temperature_merge"), emit: given.take("temperature_emit") }
    : { shared: given.take("temperature_emit") };

/** Draws whose descending order is a permutation. */
const drawing = (permutation: Tensor): RandomSource => ({
  uniform([places]) {
    const descending = Array.from({ length: places! }, (_, i) => 1 - (i + 1) / (places! + 1));
    const values = constant({ dtype: "float32", shape: [places!], data: descending });
    return scatterAdd(permutation, values, { rows: places! });
  },
});

/** By the first word of the class's name. */
export const routedAdapters: Readonly<Record<string, (given: Given) => Tensor>> = {
  ExpertChoiceFF: expertChoiceCase,
  LegacyContinuousMoE: mixtureCase({}),
  RewrittenSplitFF: groupedCase,
  TokenChoiceFF: tokenChoiceCase,
  ...Object.fromEntries(
    Object.entries(variants).map(([name, variant]) => [`ContinuousMoE${name}`, mixtureCase(variant)]),
  ),
};
