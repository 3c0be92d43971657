import { scalar, type Tensor, transpose } from "@finegrain/graph";
import {
  type Activation,
  type ExpertsParams,
  expertChoice,
  groupedFeedForward,
  tokenChoice,
  type Weights,
} from "@finegrain/nn";
import type { Arguments } from "../arguments.ts";
import type { Given } from "../given.ts";

/*
 * llm-random's layers of conditional computation. Axes: E experts, D model, F units of an expert.
 */

/** f1 [D, E, F] as [E, D, F]. */
function groupedCase(given: Given): Tensor {
  const { arguments: options } = given;
  const [dModel, count] = [options.number("dm"), options.number("nexperts")];
  const dFf = count * options.number("expertsize");
  options.any("dff");
  const config = { dModel, dFf, experts: count, groupSize: options.number("sparsity"), groupAlong: "time" } as const;
  const inner = { kernel: transpose(given.take("f1"), [1, 0, 2]), bias: given.take("f1b") };
  const w = { controller: given.take("controller"), experts: { inner, outer: { kernel: given.take("f2") } } };
  return groupedFeedForward(config).apply(w, given.input(), given.context);
}

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

/** lin1 and gate [E, D, F], lin2 [E, F, D], under one prefix. */
function expertWeights(given: Given, prefix: string, gated: boolean): Weights<ExpertsParams> {
  const under = (name: string) => given.take(`${prefix}${name}_weight`);
  return {
    inner: { kernel: under("lin1") },
    ...(gated ? { gate: { kernel: under("gate") } } : {}),
    outer: { kernel: under("lin2") },
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
    experts: expertWeights(given, "expert_inner_function.", shape.gated),
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
  const w = { router: given.take("gating.gate"), experts: expertWeights(given, "expert_inner_function.", shape.gated) };
  const [x, kept] = [given.input(), "route.kept_mask"];
  const asked = x.shape[0]! * x.shape[1]! * k;
  const isDropping = given.hasTensor(kept) && Array.from(given.stored(kept).data).reduce((a, b) => a + b) < asked;
  return isDropping ? layer.applyInOrder(w, x, given.tensor(kept), given.context) : layer.apply(w, x, given.context);
}

/** By the first word of the class's name. */
export const routedAdapters: Readonly<Record<string, (given: Given) => Tensor>> = {
  ExpertChoiceFF: expertChoiceCase,
  RewrittenSplitFF: groupedCase,
  TokenChoiceFF: tokenChoiceCase,
};
