import type { Machine } from "../measure/machine.ts";
import type { Spread } from "../measure/statistics.ts";

/** What a model is measured at: "prefill" is a prompt up to its logits, "layer" one feed-forward layer, forwards and backwards. */
export const MODEL_PHASES = ["train", "prefill", "decode", "layer"] as const;
export type ModelPhase = (typeof MODEL_PHASES)[number];
/** "op" is one operation of the graph. */
export const PHASES = [...MODEL_PHASES, "op"] as const;
export type Phase = (typeof PHASES)[number];

/** What every line of a result file says. The published form is `result.schema.json` of this package. */
export interface Line {
  readonly suite: string;
  readonly case: string;
  readonly phase: Phase;
  /** The backend's own name: "onnx:cpu". */
  readonly backend: string;
  /** Why it ran in place of a preferred one; only where it did. */
  readonly fallback?: string;
  /** What the backend's device calls itself. */
  readonly device: string;
  readonly variant: string;
  /** The machine's name, where several measured at once. */
  readonly host?: string;
  /** Of finegrain, of node or the browser, and of the backend's provider. */
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: Machine;
}

/** What every measured line says, whatever was measured. */
export interface Measured extends Line {
  readonly rounds: number;
  /** Present where the rounds are spread too widely to be trusted: see `isWide`. */
  readonly wide?: true;
  /** The most memory that the process (RSS) has had from the case's beginning to its last round; all variants share it. */
  readonly peakMemoryBytes?: number;
  /** The most that buffers and programs held of the device's memory between rounds; null where the backend does not tell. */
  readonly deviceMemoryBytes?: number | null;
}

export type Scaling = "strong" | "weak";

/** What was measured of a model. */
export interface ModelFigures {
  readonly phase: ModelPhase;
  /** Median of the rounds with the interquartile range. */
  readonly tokensPerSecond: Spread;
  readonly millisecondsPerToken: number;
  readonly parameters: number;
  /** Bytes that one token's decode step has to read of weights, and of caches what they hold on average; null in training. */
  readonly bytesPerToken: number | null;
  /**
   * Share of the limit that was reached. Decode: bytesPerToken x tokens/s over the machine's bandwidth. Training: time that
   * the step's matrix products take alone on the same backend, over the step's time. A prompt: the products' operations a second over the machine's fp32 rate. By ranks: tokens/s over those of one rank, times the machines.
   */
  readonly rooflineShare: number;
  /** Of the CPU package while the variant ran; null where the system does not expose it. */
  readonly joulesPerToken?: number | null;
  /** Kernels that the device is given for a token's step or an optimizer step; null where the backend does not count them. */
  readonly dispatches?: number | null;
  /** Decode: tokens in the cache before the first measured one. Prefill: the prompt's tokens. */
  readonly context?: number;
  /** Training by several ranks: how many; left out where it is measured for itself. */
  readonly ranks?: number;
  /** Whether a step is as large for any number of ranks, or a rank's part of it. */
  readonly scaling?: Scaling;
  /** Tokens/s over those of one rank, with a 95 % bootstrap interval. */
  readonly overOneRank?: Spread;
  /** Part of the steps' time that rank 0 spent in messages and in waiting for others. */
  readonly communicationShare?: number;
}

/** One variant of a case, measured. */
export interface Measurement extends Omit<Measured, "phase">, ModelFigures {
  /** Tokens/s over the dense variant's, with a 95 % bootstrap interval; null where there is no dense one to compare with. */
  readonly overDense: Spread | null;
}

/** What was measured of an operation. */
export interface OpFigures {
  readonly phase: "op";
  /** What is computed: "matrix product", "gather". */
  readonly op: string;
  /** The extents by the names that the suite gives them. */
  readonly shape: Readonly<Record<string, number>>;
  /** Of one run. */
  readonly milliseconds: Spread;
  /** Floating-point operations of one run. */
  readonly flops: number;
  /** Bytes that one run reads and writes at the least. */
  readonly bytes: number;
  /** Floating-point operations a byte: `flops / bytes`. */
  readonly intensity: number;
  readonly bytesPerSecond: number;
  readonly flopsPerSecond: number;
  /** Time that the machine's limits allow, max(bytes / bandwidth, flops / fp32 rate), over the median's. */
  readonly rooflineShare: number;
}

/** One operation at one size, measured. */
export type OpMeasurement = Omit<Measured, "phase"> & OpFigures;

/** One variant of a case that did not run. */
export interface Failure extends Line {
  /** One sentence: why. */
  readonly error: string;
  /** Present where there was nothing to run: a peer that is not installed, or that has no such variant. */
  readonly absent?: true;
}

/** One line of a result file: JSON lines, one object a variant of a case. */
export type Result = Measurement | OpMeasurement | Failure;

export const isFailure = (result: Result): result is Failure => "error" in result;
export const isOpMeasurement = (result: Result): result is OpMeasurement => !isFailure(result) && result.phase === "op";
export const isMeasurement = (result: Result): result is Measurement => !isFailure(result) && result.phase !== "op";
