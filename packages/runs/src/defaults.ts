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
  /** Of models that end their training as another one. */
  transition: 0.1,
  seed: 0,
} as const;

export const modelDefaults = {
  layers: 4,
  dModel: 256,
  heads: 4,
  positions: "rotary",
  feedForward: { type: "sparse", blockSize: 8 },
} as const;

/** Of models whose texts follow a source: targets are `length` tokens at most, and sources `sourceRatio` times as many. */
export const sourceDefaults = { length: 256, sourceRatio: 2 } as const;

/** Minutes of a training for which nobody says steps. */
export const TRAINING_MINUTES = 5;

/** Sizes of a model and of its training. */
export interface RunSizes {
  readonly layers: number;
  readonly dModel: number;
  readonly heads: number;
  readonly batch: number;
  readonly length: number;
  readonly learningRate: number;
}

/**
 * The width and heads of a model that names some of them. Where its width is not the usual one, neither are the usual heads sure to
 * divide it.
 */
export function widthAndHeads(
  { dModel, heads }: { readonly dModel?: number | undefined; readonly heads?: number | undefined },
  usual: Pick<RunSizes, "dModel" | "heads">,
): Pick<RunSizes, "dModel" | "heads"> {
  const width = dModel ?? usual.dModel;
  return { dModel: width, heads: heads ?? (width === usual.dModel ? usual.heads : modelDefaults.heads) };
}

/** What a training in so many minutes chooses among, from small to large. */
export const runSizes: readonly RunSizes[] = [
  { layers: 2, dModel: 128, heads: 2, batch: 16, length: 128, learningRate: 0.004 },
  { layers: 3, dModel: 192, heads: 3, batch: 16, length: 192, learningRate: 0.004 },
  { layers: 4, dModel: 256, heads: 4, batch: 16, length: 256, learningRate: 0.003 },
  { layers: 6, dModel: 384, heads: 6, batch: 32, length: 256, learningRate: 0.002 },
  { layers: 8, dModel: 512, heads: 8, batch: 32, length: 512, learningRate: 0.0015 },
];

/** How a model learns on that was trained before. Windows are no longer than its context. */
export const fineTuningDefaults = { batch: 8, length: 256, learningRate: 1e-4 } as const;
/** The rate where only narrow matrices beside its own are trained, one of which begins as zeros. */
export const LORA_LEARNING_RATE = 1e-3;
/** The rate of feed-forward layers that learn to do what a model's own do. */
export const STUDENT_LEARNING_RATE = 2e-3;

export const generationDefaults = { maxTokens: 200, temperature: 0.8, seed: 0 } as const;

/** Windows of a batch of held-out text. */
export const evaluationDefaults = { batch: 8 } as const;
