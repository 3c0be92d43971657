import type { FeedForwardConfig } from "./catalogs.ts";

/** Feed-forward layers that learn to do what a model's own do, to take their place afterwards. */
export interface StudentConfig {
  readonly feedForward: FeedForwardConfig;
  /** Their hidden units. Default: as many as the model's own have. */
  readonly dFf?: number;
}
