import type { ModelConfig } from "./config.ts";

/** The dimensions of the 800M row of Jaszczur et al. 2021, table 1: what decode is measured at. */
const paper800M = { vocabulary: 32000, dModel: 1024, layers: 24, heads: 16, maxLength: 2048 } as const;

/** Configs by name: pairs of a dense model and the sparse one that it is compared with. */
export const presets = {
  "paper-800m-dense": { ...paper800M, dFf: 4096 },
  "paper-800m-sparse": {
    ...paper800M,
    dFf: 6144,
    feedForward: { type: "trax-sparse", blockSize: 64, rank: 96 },
    attention: { type: "multiplicative-convolutional", modules: 16, lengthKernel: 3 },
    loss: { type: "multiplicative", modules: 4 },
  },
} as const satisfies Record<string, ModelConfig>;
