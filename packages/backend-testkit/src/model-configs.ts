import type { ModelConfig } from "@finegrain/nn";

const small = { vocabulary: 24, dModel: 16, dFf: 32, layers: 2, heads: 4, maxLength: 16 } as const;

/** Small language models that between them use every kind of part, and decode as a full pass does. */
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

/** Models whose routed layers decode every token by itself, which is another function than they train. */
export const groupedConfigs: Readonly<Record<string, ModelConfig>> = {
  "a model of grouped experts": { ...small, feedForward: { type: "grouped", experts: 4, groupSize: 2 } },
  "a model of mixtures of tokens": { ...small, feedForward: { type: "mixture-of-tokens", experts: 4, groupSize: 2 } },
  "a model of experts that choose": { ...small, feedForward: { type: "expert-choice", experts: 4, capacityFactor: 2 } },
  "a masked model": { ...small, objective: "masked" },
};
