import { type HostTensor, hostTensor } from "@finegrain/graph";
import type { LanguageModel, ModelConfig } from "@finegrain/nn";
import type { Measure } from "../suites/suite.ts";

/** Tokens that are no padding. */
export const tokensOf = (count: number, { vocabulary }: Pick<ModelConfig, "vocabulary">): Int32Array =>
  Int32Array.from({ length: count }, (_, i) => 1 + ((i * 7919) % (vocabulary - 1)));

/** A batch of them to train on: int32 [batch, source + length + 1]. */
export function batchOf(
  { source, config }: LanguageModel,
  { batch, length }: Pick<Measure, "batch" | "length">,
): HostTensor {
  const width = (source?.maxLength ?? 0) + length + 1;
  return hostTensor("int32", [batch, width], tokensOf(batch * width, config));
}
