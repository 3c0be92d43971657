import {
  type Activation,
  type BlockParams,
  block,
  type CachedLayer,
  denseAttention,
  expertChoice,
  feedForward,
  type Layer,
  layerNorm,
  mixtureOfTokens,
  rmsNorm,
  rotation,
  tokenChoice,
  type Weights,
} from "@finegrain/nn";
import type { Arguments } from "../arguments.ts";
import { Unsupported } from "../case.ts";
import { under, type WeightSource } from "../given.ts";
import {
  attentionWeights,
  expertWeights,
  feedForwardWeights,
  layerNormWeights,
  rmsNormWeights,
  swigluWeights,
} from "./weights.ts";

/*
 * A Transformer's parts as llm-random's own words name them: each is one of our layers and the way its weights are found.
 */

export interface Part<L extends Layer = Layer> {
  readonly layer: L;
  weights(source: WeightSource): Weights<L["params"]>;
}

/** What a part must know of the model. */
interface Sizes {
  readonly dModel: number;
  readonly heads: number;
}

/** PyTorch's. */
const EPSILON = { epsilon: 1e-5 };

/** "LayerNorm" or "RMSNorm". @throws Unsupported where it is another. */
export function normPart(name: string, { dModel }: Sizes): Part {
  if (name === "LayerNorm") return { layer: layerNorm({ dModel, ...EPSILON }), weights: layerNormWeights };
  if (name === "RMSNorm") return { layer: rmsNorm({ dModel, bias: true, ...EPSILON }), weights: rmsNormWeights };
  throw new Unsupported(`the norm ${name}`);
}

/** "Attention causal" or "AttentionRoPE", which is causal too. @throws Unsupported where it is another. */
export function attentionPart(name: string, { dModel, heads }: Sizes): Part<CachedLayer> {
  const match = /^Attention(RoPE)?( causal)?$/.exec(name);
  if (!match || (!match[1] && !match[2])) throw new Unsupported(`the attention ${name}`);
  const layer = denseAttention({ dModel, heads, ...(match[1] !== undefined && { rotary: rotation() }) });
  return { layer, weights: (source) => ({ ...attentionWeights(source, heads) }) };
}

/**
 * The feed-forward layer that begins with a class's name and goes on with what was turned on, in words.
 * @throws Unsupported where a word is not known.
 */
export function feedForwardPart(text: string, options: Arguments, { dModel }: Sizes): Part {
  const [kind, ...words] = text.split(" ");
  const rest = words.join(" ");
  const known = (pattern: RegExp): RegExpExecArray => {
    const match = pattern.exec(rest);
    if (!match) throw new Unsupported(`the feed-forward layer ${text}`);
    return match;
  };
  switch (kind) {
    case "FeedForward":
      known(/^relu( biases)?$/);
      return { layer: feedForward({ dModel, dFf: options.number("dff") }), weights: feedForwardWeights };
    case "SwiGLU": {
      known(/^$/);
      const layer = feedForward({ dModel, dFf: options.number("dff"), activation: "swiglu" });
      return { layer, weights: swigluWeights };
    }
    case "ExpertChoiceFF": {
      const [, byBatch, over, norm] = known(/^(group_by_batch )?softmax over (experts|tokens)( LN)?$/);
      return expertChoicePart(options, dModel, byBatch !== undefined, over === "experts", norm !== undefined);
    }
    case "TokenChoiceFF": {
      const [, k, gated, activation] = known(/^top(\d+) Expert(Gated|FF) (relu|gelu|silu)$/);
      return tokenChoicePart(options, dModel, Number(k), gated === "Gated", activation as Activation); // as matched
    }
    case "ContinuousMoE":
      known(/^$/);
      return mixturePart(options, dModel);
    default:
      throw new Unsupported(`the feed-forward layer ${text}`);
  }
}

function expertChoicePart(
  options: Arguments,
  dModel: number,
  byBatch: boolean,
  overExperts: boolean,
  norm: boolean,
): Part {
  const count = options.number("n_experts");
  const layer = expertChoice({
    dModel,
    experts: count,
    dFf: count * options.number("expert_size"),
    capacityFactor: count * options.number("topk_fraction"),
    choiceOver: byBatch ? "batch" : "all",
    softmaxOver: overExperts ? "experts" : "tokens",
    layerNorm: norm,
  });
  const weights = (source: WeightSource) => ({
    router: source.take("gating.gate"),
    experts: expertWeights(source, false),
    ...(norm ? { norm: layerNormWeights(under(source, "ln.l.")) } : {}),
  });
  return { layer, weights };
}

function tokenChoicePart(options: Arguments, dModel: number, k: number, gated: boolean, activation: Activation): Part {
  const count = options.number("n_experts");
  const layer = tokenChoice({
    dModel,
    experts: count,
    dFf: count * options.number("expert_size"),
    k,
    capacityFactor: options.number("capacity_factor"),
    loadBalancing: options.number("load_balancing_loss_weight", 0),
    zLoss: options.number("zloss_weight", 0),
    gated,
    activation,
  });
  return {
    layer,
    weights: (source) => ({ router: source.take("gating.gate"), experts: expertWeights(source, gated) }),
  };
}

/** As at the head: lin1 [E, D, F], lin2 [E, F, D]. */
function mixturePart(options: Arguments, dModel: number): Part {
  const groupSize = options.number("group_size");
  const dff = options.number("dff");
  const layer = mixtureOfTokens({
    dModel,
    experts: options.number("n_experts"),
    dFf: options.boolean("flop_matched", false) ? 4 * dModel * groupSize : dff,
    groupSize,
    groupAlong: options.number("sparsity_dim", 0) === 0 ? "batch" : "time",
  });
  const weights = (source: WeightSource) => ({
    controller: { base: source.take("controller") },
    experts: { inner: { kernel: source.take("lin1") }, outer: { kernel: source.take("lin2") } },
  });
  return { layer, weights };
}

/** A pre-norm block: attention, then feed-forward, each with a norm of its own. */
export function blockPart(parts: {
  readonly norm: Part;
  readonly attention: Part<CachedLayer>;
  readonly feedForward: Part;
}): Part<CachedLayer<BlockParams>> {
  const { norm, attention, feedForward: inner } = parts;
  return {
    layer: block({ norm: norm.layer, attention: attention.layer, feedForward: inner.layer }),
    weights: (source) => ({
      attentionNorm: norm.weights(under(source, "residual_attention.layer.pre_norm.")),
      attention: attention.weights(under(source, "residual_attention.layer.attention.")),
      feedForwardNorm: norm.weights(under(source, "residual_feedforward.layer.pre_norm.")),
      feedForward: inner.weights(under(source, "residual_feedforward.layer.feedforward.")),
    }),
  };
}
