import type { Tensor } from "@finegrain/graph";
import {
  type FeedForwardConfig,
  type LanguageModel,
  type LanguageModelParams,
  type LossConfig,
  type ModelConfig,
  type Params,
  type RecurrenceConfig,
  scalingLM,
  type Weights,
} from "@finegrain/nn";
import { Arguments } from "../arguments.ts";
import { Unsupported } from "../case.ts";
import { type Given, numbered, under, type WeightSource } from "../given.ts";
import { type TraxAttention, traxAttention } from "./attention.ts";
import { activationOf, shiftRight } from "./layers.ts";
import {
  blockSparseWeights,
  denseWeights,
  feedForwardWeights,
  lowRankWeights,
  multiplicativeWeights,
  oneOfEachBlockWeights,
  recurrentWeights,
} from "./weights.ts";

type TraxSparse = Extract<FeedForwardConfig, { readonly type: "trax-sparse" }>;

/** Trax's `ff_sparsity`: N, [N, rank], or [N, rank, temperature, quantisation probability], as numbers or as text. */
export function sparseFeedForwardOf(value: unknown, dFf: number): TraxSparse {
  const parts = typeof value === "string" ? value.split(/\s+/).map(Number) : Array.isArray(value) ? value : [value];
  if (![1, 2, 4].includes(parts.length) || parts.some((part) => typeof part !== "number" || Number.isNaN(part)))
    throw new Unsupported(`ff_sparsity ${JSON.stringify(value)}`);
  const [blockSize, rank, temperature = 0.1, quantizeProbability = 0.3] = parts as [number, ...number[]];
  return {
    type: "trax-sparse",
    blockSize,
    rank: rank ?? Math.floor(dFf / blockSize),
    temperature,
    quantizeProbability,
  };
}

function feedForwardOptions(options: Arguments, dFf: number): FeedForwardConfig {
  const sparsity = options.any("ff_sparsity");
  const kind = options.text("ff_sparsity_type", "1inN");
  if (!sparsity) return { type: "dense" };
  if (kind === "Switch") return { type: "switch", experts: options.number("ff_sparsity") };
  if (kind === "Block") return { type: "block-sparse", experts: options.number("ff_sparsity") };
  if (kind !== "1inN") throw new Unsupported(`ff_sparsity_type ${kind}`);
  return sparseFeedForwardOf(sparsity, dFf);
}

function lossOptions(options: Arguments): LossConfig {
  const kind = options.oneOf("loss_sparsity_type", ["mult", "lowrank", "None"], "mult");
  const modules = options.any("loss_sparsity");
  const rank = options.any("loss_d_lowrank");
  if (kind === "mult" && modules) return { type: "multiplicative", modules: options.number("loss_sparsity") };
  if (kind === "lowrank" && rank) return { type: "low-rank", rank: options.number("loss_d_lowrank") };
  return { type: "dense" };
}

/** Trax's `ff_use_sru`: units of 32 features, or [units, features]. */
export function recurrenceOptions(options: Arguments): RecurrenceConfig | undefined {
  const given = options.any("ff_use_sru");
  if (!given) return undefined;
  const [layers, units = 32] = (Array.isArray(given) ? given : [given]) as [number, number?];
  return { layers, units };
}

/** Trax's `attention_type`: a layer's name, or its name and arguments, as an object or as "Layer(sparsity=4)". */
function attentionOptions(given: unknown): { source: string; own: Arguments } {
  if (typeof given === "string") return calledLayer(given);
  const { type, ...own } = given as Record<string, unknown>; // the other form that the cases have
  return { source: String(type), own: new Arguments(own) };
}

/** "Layer(sparsity=4, length_kernel_size=3)", or "Layer" alone. */
function calledLayer(call: string): { source: string; own: Arguments } {
  const [source, list] = call.split(/[()]/) as [string, string?];
  const pairs = (list ?? "").split(",").flatMap((pair) => {
    const [name, value] = pair.split("=");
    return value === undefined ? [] : [[name!.trim(), argumentOf(value.trim())] as const];
  });
  return { source, own: new Arguments(Object.fromEntries(pairs)) };
}

/** A value as Python writes it: a number, True, False, None or a text in quotes. */
function argumentOf(written: string): unknown {
  const constants: Readonly<Record<string, unknown>> = { True: true, False: false, None: null };
  if (Object.hasOwn(constants, written)) return constants[written];
  return Number.isNaN(Number(written)) ? written.replace(/^['"]|['"]$/g, "") : Number(written);
}

export const lossWeights = (loss: LossConfig, source: WeightSource): Weights<Params> => {
  if (loss.type === "multiplicative") return { ...multiplicativeWeights(source, "loss") };
  return loss.type === "low-rank" ? { ...lowRankWeights(source, "loss") } : { ...denseWeights(source, "loss") };
};

const feedForwardOptionWeights = ({ type }: FeedForwardConfig, source: WeightSource): Weights<Params> => {
  if (type === "block-sparse" || type === "switch") return { ...blockSparseWeights(source) };
  return type === "trax-sparse" ? { ...oneOfEachBlockWeights(source) } : { ...feedForwardWeights(source) };
};

export const norm = (source: WeightSource): Weights<Params> => ({
  scale: source.take("scale"),
  bias: source.take("bias"),
});

/** What Trax's configurable models have in common, as a part of our config. */
export type CommonConfig = Pick<
  ModelConfig,
  "dModel" | "dFf" | "heads" | "maxLength" | "feedForward" | "loss" | "recurrence" | "activation"
> & { readonly feedForward: FeedForwardConfig; readonly loss: LossConfig; readonly heads: number };

export function commonConfig(options: Arguments): CommonConfig {
  const dFf = options.number("d_ff", 2048);
  const feedForward = feedForwardOptions(options, dFf);
  const recurrence = recurrenceOptions(options);
  if (feedForward.type !== "dense") options.any("ff_activation");
  return {
    dModel: options.number("d_model", 512),
    dFf,
    heads: options.number("n_heads", 8),
    maxLength: options.number("max_len", 2048),
    feedForward,
    loss: lossOptions(options),
    ...(recurrence ? { recurrence } : {}),
    ...(feedForward.type === "dense" ? { activation: activationOf(options, "ff_activation") } : {}),
  };
}

/** The attention that an argument names, and what its weights are. */
export function namedAttention(
  given: unknown,
  heads: number,
  mode: string,
  of: typeof traxAttention = traxAttention,
): TraxAttention {
  const { source, own } = attentionOptions(given);
  const attention = of(source, own, heads);
  own.expectAllRead(mode);
  return attention;
}

/** What a block has behind its attention. */
export const feedForwardBranchWeights = ({ feedForward, recurrence }: CommonConfig, source: WeightSource) => ({
  feedForwardNorm: norm(under(source, "ff_norm.")),
  feedForward: feedForwardOptionWeights(feedForward, under(source, "ff.")),
  ...(recurrence ? { recurrence: recurrentWeights(under(source, "ff."), recurrence.layers) } : {}),
});

interface LanguageModelCase {
  readonly model: LanguageModel<LanguageModelParams>;
  readonly w: Weights<LanguageModelParams>;
}

/**
 * Trax `ConfigurableTransformerLM` as our model.
 * @param source its weights: in Trax's order, or by names such as "block0.attention_norm.scale".
 */
export function languageModel(given: Given, source: WeightSource & { left?(): number }): LanguageModelCase {
  const { arguments: options } = given;
  const common = commonConfig(options);
  const kind = options.any("attention") ?? options.any("attention_type") ?? "CausalAttention";
  options.any("attention_type");
  const attention = namedAttention(kind, common.heads, given.mode);
  const config: ModelConfig = {
    ...common,
    vocabulary: options.number("vocab_size"),
    layers: options.number("n_layers", 6),
    attention: attention.config,
  };

  options.expectAllRead(given.mode); // before weights are taken: an unknown option has unknown weights

  const block = (name: string) => ({
    attentionNorm: norm(under(source, `${name}.attention_norm.`)),
    attention: attention.weights(under(source, `${name}.attention.`)),
    ...feedForwardBranchWeights(common, under(source, `${name}.`)),
  });
  const w: Weights<LanguageModelParams> = {
    embedding: { table: source.take("embedding") },
    positions: { table: source.take("positions") },
    blocks: Object.fromEntries(Array.from({ length: config.layers }, (_, i) => [`${i}`, block(`block${i}`)])),
    norm: norm(under(source, "final_norm.")),
    loss: lossWeights(common.loss, source),
  };
  expectNoneLeft(source);
  return { model: scalingLM(config), w };
}

/** @throws Unsupported where a source in order has weights that our model did not take. */
export function expectNoneLeft(source: WeightSource & { left?(): number }): void {
  const left = source.left?.() ?? 0;
  if (left > 0) throw new Unsupported(`${left} weights more than our model has`);
}

/** Our model behind a shift of its tokens. */
export function languageModelCase(given: Given): Tensor {
  const { model, w } = languageModel(given, numbered(given));
  const tokens = given.mode === "predict" ? given.input() : shiftRight(given.input());
  return model.logits(w, tokens, given.context);
}
