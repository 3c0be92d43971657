import type { Tokenizer } from "@finegrain/generate";
import type { Backend, HostTensor } from "@finegrain/graph";
import type { ModelConfig, OwnLayers } from "@finegrain/nn";
import { ofOthers, type RunConfig } from "./config.ts";
import { fineTuningDefaults, type RunSizes } from "./defaults.ts";
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
  weights(): Promise<ReadonlyMap<string, HostTensor>>;
}

/** @throws FinegrainError where there is no such model. */
export async function openBeginning(
  path: string,
  options: { readonly backend: Backend; readonly layers: OwnLayers },
): Promise<Beginning> {
  const run = await openRun(path, options);
  const { model } = run.config;
  const { layers, dModel, heads, maxLength } = model;
  return {
    model,
    tokenizer: run.tokenizer,
    config: { init: nodePath().resolve(path), ...ofOthers(run.config) },
    sizes: { ...fineTuningDefaults, layers, dModel, heads, length: Math.min(fineTuningDefaults.length, maxLength) },
    weights: () => run.weights(),
  };
}
