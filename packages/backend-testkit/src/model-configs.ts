import type { ModelConfig } from "@finegrain/nn";

const small = { vocabulary: 24, dModel: 16, dFf: 32, layers: 2, heads: 4, maxLength: 16 } as const;

/** Small language models that between them use every kind of part. */
export const modelConfigs: Readonly<Record<string, ModelConfig>> = {
  "a dense model": { ...small, positions: "rotary", activation: "gelu" },
  "a sparse model": {
    ...small,
    feedForward: { type: "sparse", blockSize: 4, rank: 4 },
    attention: { type: "multiplicative-convolutional", modules: 4 },
    loss: { type: "multiplicative", modules: 4 },
  },
};
