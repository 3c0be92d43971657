/// <reference lib="dom" />
import type { Result } from "@finegrain/bench/method";
import type { ModelConfig } from "@finegrain/nn";

/*
 * What the page and its worker say to each other. A worker does jobs; the page starts one by its name, hears its events, and may stop it.
 * This file is the whole of what both sides know of each other.
 */

/** Where a worker computes. */
export interface Engine {
  readonly name: "wasm" | "webgpu";
  /** Threads of WebAssembly. Default: one for every processor, or one where the page is not cross-origin isolated. */
  readonly threads?: number;
}

/** A model of which something is to be seen. */
export type ModelSource =
  /** One of the pair that comes with the page: where its folder is. */
  | { readonly kind: "folder"; readonly name: string; readonly url: string }
  /** What was dropped on the page: a run folder, as files or as a zip, or a checkpoint. */
  | { readonly kind: "files"; readonly name: string; readonly files: readonly DroppedFile[] }
  /** One that was trained in this page. */
  | { readonly kind: "trained"; readonly name: RunName };

export interface DroppedFile {
  readonly path: string;
  readonly file: Blob;
}

/** What is known of a model that was opened. */
export interface OpenedModel {
  readonly name: string;
  /** What it runs on, by the backend's own name. */
  readonly backend: string;
  readonly parameters: number;
  /** Bytes of weights that a step reads for a token. */
  readonly bytesPerToken: number;
  readonly bitsPerByte: number | undefined;
  readonly units: UnitLayout;
}

/** How the units of a model's feed-forward layers are laid out. */
export interface UnitLayout {
  readonly layers: number;
  /** Units of a layer, or the parts of it that are turned on together. */
  readonly units: number;
  /** Units that a token turns on in a layer, one of each block; undefined where it is all of them. */
  readonly on: number | undefined;
}

export interface WriteRequest {
  /** Which of the opened models write, by their place; they take turns of equal time. */
  readonly models: readonly number[];
  readonly prompt: string;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly seed: number;
}

/** Tokens that a model has read or written since the last time it told. */
export interface Wrote {
  readonly model: number;
  readonly tokens: readonly ShownToken[];
  /** For each token in turn, for each layer, the units that it turned on; empty where all are on. */
  readonly units: Uint16Array;
  /** Tokens that it has written so far, and seconds that it had for them. */
  readonly written: number;
  readonly seconds: number;
}

export interface ShownToken {
  /** What can be shown now: empty where a character is not whole yet. */
  readonly text: string;
  readonly isPrompt: boolean;
}

export const RUNS = ["sparse", "dense"] as const;
/** The runs that a training of the page keeps. */
export type RunName = (typeof RUNS)[number];

export interface TrainRequest {
  readonly run: RunName;
  readonly engine: Engine;
  /** Left out: go on with the run that is kept. */
  readonly begin?: NewRun;
}

/** What a run is begun with. */
export interface NewRun {
  readonly text: string;
  readonly model: Omit<ModelConfig, "vocabulary">;
  /** Give the model as many weights as the dense one of its widths has. */
  readonly asDense: boolean;
  readonly training: {
    readonly steps: number;
    readonly batch: number;
    readonly length: number;
    readonly learningRate: number;
    readonly seed: number;
    /** Steps between evaluations; with each comes a sample, and a checkpoint. */
    readonly evaluateEvery: number;
  };
}

export type TrainEvent =
  | {
      readonly kind: "start";
      readonly step: number;
      readonly steps: number;
      readonly parameters: number;
      readonly backend: string;
    }
  | { readonly kind: "step"; readonly step: number; readonly loss: number; readonly tokensPerSecond: number }
  | { readonly kind: "evaluation"; readonly step: number; readonly bitsPerByte: number }
  | { readonly kind: "sample"; readonly step: number; readonly text: string };

/** A run that is kept, as far as curves show it. */
export interface KeptRun {
  readonly step: number;
  readonly steps: number;
  readonly records: readonly { readonly step: number; readonly loss?: number; readonly heldOutBitsPerByte?: number }[];
}

export interface MeasureRequest {
  /** A suite's JSON. */
  readonly suite: unknown;
  readonly engine: Engine;
  /** Whether it takes the suite's short form, of less than a minute. */
  readonly isQuick: boolean;
  /** What the person calls this device; "" where the browser's word is enough. */
  readonly device: string;
}

export type MeasureEvent =
  | {
      readonly kind: "progress";
      readonly case: string;
      readonly activity: string;
      readonly done: number;
      readonly of: number;
    }
  | { readonly kind: "results"; readonly results: readonly Result[] };

/** Every job by its name: what it takes, what it tells meanwhile, what it ends with. */
export interface Jobs {
  /** Open models for writing, in place of those that were open. */
  open: { input: { models: readonly ModelSource[]; engine: Engine }; event: never; result: readonly OpenedModel[] };
  write: { input: WriteRequest; event: Wrote; result: undefined };
  train: { input: TrainRequest; event: TrainEvent; result: { readonly step: number; readonly isWhole: boolean } };
  /** So many of the speeches that come along, the latest, as one text. */
  speeches: { input: number; event: never; result: string };
  /** The run that is kept under a name. */
  kept: { input: RunName; event: never; result: KeptRun | undefined };
  /** A kept run's folder as a zip. */
  pack: { input: RunName; event: never; result: Blob };
  measure: { input: MeasureRequest; event: MeasureEvent; result: undefined };
  /** The results in a file of JSON lines. */
  readLines: { input: { text: string; name: string }; event: never; result: readonly Result[] };
}

export type JobName = keyof Jobs;

export type Request =
  | { [N in JobName]: { readonly id: number; readonly job: N; readonly input: Jobs[N]["input"] } }[JobName]
  | { readonly id: number; readonly stop: true };

export type Reply =
  | { readonly id: number; readonly event: unknown }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string };

/** What a job is given beside its input. */
export interface JobContext<N extends JobName> {
  tell(event: Jobs[N]["event"], transfer?: Transferable[]): void;
  readonly signal: AbortSignal;
}

/** What does a job. */
export type Job<N extends JobName> = (input: Jobs[N]["input"], context: JobContext<N>) => Promise<Jobs[N]["result"]>;
