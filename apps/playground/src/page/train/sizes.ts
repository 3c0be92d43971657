import type { NewRun } from "../../protocol.ts";

/** Sizes that a page trains in minutes, from small to large. Feed-forward layers are wide, since they are what a sparse model reads less of. */
export interface Size {
  readonly title: string;
  readonly model: Pick<NewRun["model"], "layers" | "dModel" | "dFf" | "heads">;
  readonly training: Pick<NewRun["training"], "batch" | "length" | "learningRate">;
}

export const SIZES: Readonly<Record<string, Size>> = {
  smallest: {
    title: "Smallest: 46 k weights, for a look",
    model: { layers: 1, dModel: 32, dFf: 512, heads: 2 },
    training: { batch: 8, length: 32, learningRate: 0.01 },
  },
  tiny: {
    title: "Tiny: 0.2 M weights",
    model: { layers: 2, dModel: 64, dFf: 768, heads: 2 },
    training: { batch: 8, length: 64, learningRate: 0.005 },
  },
  small: {
    title: "Small: 0.8 M weights",
    model: { layers: 4, dModel: 96, dFf: 768, heads: 4 },
    training: { batch: 8, length: 128, learningRate: 0.004 },
  },
  medium: {
    title: "Medium: 2.5 M weights",
    model: { layers: 4, dModel: 160, dFf: 1536, heads: 4 },
    training: { batch: 16, length: 128, learningRate: 0.003 },
  },
  large: {
    title: "Large: 8 M weights",
    model: { layers: 6, dModel: 256, dFf: 2048, heads: 4 },
    training: { batch: 16, length: 256, learningRate: 0.003 },
  },
};

/** Sparse layers to choose from: one unit is on in every block of so many. */
export const BLOCK_SIZES = [16, 8, 4] as const;
