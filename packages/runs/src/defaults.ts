/*
 * What a run does where nobody says otherwise. The command's help shows these numbers, and loads this file alone: it
 * imports nothing.
 */

export const trainingDefaults = {
  steps: 300,
  batch: 8,
  length: 128,
  accumulate: 1,
  optimizer: "adamw",
  /** Of AdamW; Adafactor has none. */
  weightDecay: 0.1,
  schedule: "cosine",
  /** The highest rate of a schedule. */
  learningRate: 0.002,
  clipNorm: 1,
  seed: 0,
} as const;

export const modelDefaults = {
  layers: 4,
  dModel: 256,
  heads: 4,
  feedForward: { type: "sparse", blockSize: 8 },
} as const;

export const generationDefaults = { maxTokens: 200, temperature: 0.8, seed: 0 } as const;

/** Windows of a batch of held-out text. */
export const evaluationDefaults = { batch: 8 } as const;
