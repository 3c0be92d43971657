import type { Machine } from "./machine.ts";
import type { Spread } from "./statistics.ts";

/** "layer" is one feed-forward layer, forwards and backwards. */
export type Phase = "train" | "decode" | "layer";

/** What every line of a result file says. */
interface Line {
  readonly suite: string;
  readonly case: string;
  readonly phase: Phase;
  /** The backend's own name: "onnx:cpu". */
  readonly backend: string;
  /** What the backend's device calls itself. */
  readonly device: string;
  readonly variant: string;
  /** Of finegrain, node and the backend's provider. */
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: Machine;
}

/** One variant of a case, measured. */
export interface Measurement extends Line {
  /** Median of the rounds with the interquartile range. */
  readonly tokensPerSecond: Spread;
  readonly millisecondsPerToken: number;
  readonly parameters: number;
  /** Bytes that one token's decode step reads of weights and caches; null in training. */
  readonly bytesPerToken: number | null;
  /**
   * Share of the limit that was reached. Decode: bytesPerToken x tokens/s over the machine's bandwidth. Training: time that
   * the step's matrix products take alone on the same backend, over the step's time.
   */
  readonly rooflineShare: number;
  /** Tokens/s over the dense variant's, with a 95 % bootstrap interval; null where there is no dense one to compare with. */
  readonly overDense: Spread | null;
  readonly rounds: number;
}

/** One variant of a case that did not run. */
export interface Failure extends Line {
  /** One sentence: why. */
  readonly error: string;
}

/** One line of a result file: JSON lines, one object a variant of a case. */
export type Result = Measurement | Failure;

export const isMeasurement = (result: Result): result is Measurement => !isFailure(result);
export const isFailure = (result: Result): result is Failure => "error" in result;

/** An error as one line of text. */
export const errorSentence = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n")[0]!;
