import type { HostTensor, Turns } from "@finegrain/graph";
import type { ModelConfig } from "./config.ts";
import { mergingLora } from "./lora.ts";
import { graduatedConfig, graduatedWeights } from "./students.ts";

/** Whether something beside a model's weights is trained, and not they: a model writes with other weights then. */
export const isTrainedBeside = ({ lora, student }: ModelConfig): boolean => lora !== undefined || student !== undefined;

/** What a model writes as: what was trained beside its weights is in them, or in their place. */
export const writtenConfig = ({ lora: _, ...config }: ModelConfig): ModelConfig => graduatedConfig(config);

/** The weights with which it does, by path, in turns. */
export function* writtenWeights(
  { lora, student }: ModelConfig,
  weights: ReadonlyMap<string, HostTensor>,
): Turns<ReadonlyMap<string, HostTensor>> {
  if (lora) return yield* mergingLora(lora, weights);
  return student ? graduatedWeights(weights) : weights;
}
