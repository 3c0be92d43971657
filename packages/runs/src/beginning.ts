import type { Tokenizer } from "@finegrain/generate";
import { type Backend, type HostTensor, inTurns } from "@finegrain/graph";
import {
  initializing,
  leaves,
  type ModelConfig,
  modelOf,
  type OwnLayers,
  type Param,
  studentStart,
} from "@finegrain/nn";
import { ofOthers, type RunConfig } from "./config.ts";
import { fineTuningDefaults, LORA_LEARNING_RATE, type RunSizes, STUDENT_LEARNING_RATE } from "./defaults.ts";
import { nodePath } from "./node.ts";
import { openRun } from "./run.ts";

/** A model that was trained before, as what a new run begins with. */
export interface Beginning {
  readonly model: ModelConfig;
  readonly tokenizer: Tokenizer;
  /** What else the new run has of it. */
  readonly config: Pick<RunConfig, "init" | "specialTokens" | "chatTemplate">;
  /** Of the model, and of a training that it needs now. */
  readonly sizes: RunSizes;
  /** Those that it has, and those drawn by the seed that the new run has beside them. */
  weights(seed: number): Promise<ReadonlyMap<string, HostTensor>>;
}

export interface BeginningOptions {
  readonly backend: Backend;
  readonly layers: OwnLayers;
  /** What is trained in place of the model's own weights. */
  readonly beside?: Beside | undefined;
  /** Over that of the model. */
  readonly inTraining?: InTraining | undefined;
}

/** What changes a model's training, and nothing else. */
export type InTraining = Pick<ModelConfig, "dropout" | "attentionDropout" | "feedForwardChunk">;

/** What is trained beside a model's own weights, which stay as they are. */
export type Beside = Pick<ModelConfig, "lora" | "student">;

/** What there is of these. */
export const besideOf = ({ lora, student }: { readonly [F in keyof Beside]: Beside[F] | undefined }): Beside => ({
  ...(lora && { lora }),
  ...(student && { student }),
});

/** @throws FinegrainError where there is no such model. */
export async function openBeginning(
  path: string,
  { beside = {}, inTraining = {}, ...options }: BeginningOptions,
): Promise<Beginning> {
  const run = await openRun(path, options);
  const { config } = run.model;
  const model = { ...config, ...beside, ...inTraining };
  const { layers, dModel, heads, maxLength } = model;
  return {
    model,
    tokenizer: run.tokenizer,
    config: { init: nodePath().resolve(path), ...ofOthers(run.config) },
    sizes: {
      ...fineTuningDefaults,
      ...(beside.lora && { learningRate: LORA_LEARNING_RATE }),
      ...(beside.student && { learningRate: STUDENT_LEARNING_RATE }),
      layers,
      dModel,
      heads,
      length: Math.min(fineTuningDefaults.length, maxLength),
    },
    async weights(seed) {
      const own = await run.weights();
      const { params } = modelOf(model, options.layers);
      const known = new Map([...own, ...studentStart(params, own)]);
      const others = leaves<Param>(params).filter(([path]) => !known.has(path));
      return new Map([...known, ...(await inTurns(initializing(Object.fromEntries(others), seed)))]);
    },
  };
}
