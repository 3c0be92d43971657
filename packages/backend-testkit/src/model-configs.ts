import { type Case, catalogs, type ModelConfig } from "@finegrain/nn";

const small = { vocabulary: 24, dModel: 16, dFf: 32, layers: 2, heads: 4, maxLength: 16 } as const;

/** Small language models on which sampling and resuming are tried, which are much the same whatever the layers. */
export const modelConfigs: Readonly<Record<string, ModelConfig>> = {
  "a dense model": { ...small, positions: "rotary", activation: "gelu" },
  "a sparse model": {
    ...small,
    feedForward: { type: "sparse", blockSize: 4, rank: 4 },
    attention: { type: "multiplicative-convolutional", modules: 4 },
    loss: { type: "multiplicative", modules: 4 },
  },
  "a model of experts that tokens choose": {
    ...small,
    feedForward: { type: "token-choice", experts: 4, k: 2, capacityFactor: 2 },
  },
};

/** What models of the Llama family have: queries that share keys and values, a gated feed-forward, RMSNorm and a tied embedding. */
const llama: ModelConfig = {
  ...small,
  feedForward: { type: "dense", activation: "swiglu", bias: false },
  attention: { type: "dense", kvHeads: 2, headWidth: 6, bias: "qkv", normalize: true },
  loss: { type: "tied" },
  positions: { type: "rotary", base: 500, scaling: "llama3", factor: 4, trainedLength: 16 },
  norm: { type: "rms", epsilon: 1e-5 },
};

/** Small models whose texts follow a source: every branch that reversible blocks have, and attention to the encoder. */
export const sourceConfigs: Readonly<Record<string, ModelConfig>> = {
  "a Terraformer": {
    ...small,
    dModel: 8,
    dFf: 16,
    heads: 2,
    layers: 1,
    feedForward: { type: "trax-sparse", blockSize: 4, rank: 4 },
    attention: { type: "multiplicative-convolutional", modules: 2 },
    recurrence: { layers: 1, units: 4 },
    encoder: { type: "terraformer", layers: 1, maxLength: 12 },
  },
  "an encoder-decoder": { ...small, layers: 1, encoder: { type: "transformer", layers: 1, maxLength: 12 } },
};

/** Models that train as none of {@link catalogModels} does: experts that have no room for all tokens, and a masked model. */
export const trainedConfigs: Readonly<Record<string, ModelConfig>> = {
  "a model of experts that tokens choose": modelConfigs["a model of experts that tokens choose"]!, // named above
  "a model of experts that choose": { ...small, feedForward: { type: "expert-choice", experts: 4, capacityFactor: 2 } },
  "a masked model": { ...small, objective: "masked" },
  "a Terraformer": {
    ...sourceConfigs["a Terraformer"]!, // named above
    dModel: 16,
    encoder: { type: "terraformer", layers: 1, maxLength: 2, textAttentions: 1 },
  },
};

/** A model of layers from the catalogs, and the one whose full pass over the same weights its decoding equals. */
export interface CatalogModel {
  readonly config: ModelConfig;
  readonly decodes: ModelConfig;
}

interface AnyLayer {
  readonly name: string;
  readonly cases: readonly Case<Readonly<Record<string, unknown>>>[];
}

/** For every field of a config that chooses a layer, all that it can choose, on the first case that can be decoded. */
const choices = Object.entries(catalogs).map(([field, catalog]) => ({
  field,
  layers: Object.values(catalog).flatMap(({ name, cases }: AnyLayer) => {
    const found = cases.find(({ decodes }) => decodes !== "none");
    return found ? [{ type: name, ...found }] : [];
  }),
}));

/**
 * Small language models by what is in them, and one of the Llama family. Every layer that comes with `@finegrain/nn` is in one: the i-th model has the i-th of
 * each kind, and begins anew where a kind has no more.
 */
export const catalogModels: Readonly<Record<string, CatalogModel>> = Object.fromEntries([
  ["a Llama model", { config: llama, decodes: llama }],
  ...Array.from({ length: Math.max(...choices.map(({ layers }) => layers.length)) }, (_, i) => {
    const chosen = choices.map(({ field, layers }) => ({ field, ...layers[i % layers.length]! })); // no kind is empty
    const parts = chosen.map(({ field, type, options }) => [field, { type, ...options }]);
    const decoded = chosen.map(({ field, type, options, decodes }) => [
      field,
      { type, ...options, ...Object(decodes) },
    ]);
    const model = (fields: unknown[][]) => ({ ...small, ...Object.fromEntries(fields) }) as ModelConfig; // of the catalogs
    const name = chosen.map(({ field, type }) => `${field} ${type}`).join(", ");
    return [name, { config: model(parts), decodes: model(decoded) }] as const;
  }),
]);
