import { type Backend, bytesRead } from "@finegrain/graph";
import { type LanguageModel, parameterCount, type Storage } from "@finegrain/nn";
import { createGenerator, type Generator } from "@finegrain/runtime";
import type { WeightPool } from "./random-weights.ts";
import { recording } from "./recording.ts";
import { median } from "./statistics.ts";
import type { Measure } from "./suites.ts";
import type { Prepared } from "./variant.ts";

/**
 * Decode `units` tokens one at a time behind a prompt.
 *
 * @param onPrompt called when the prompt is in the caches and the clock starts.
 * @returns seconds a token, without the prompt's.
 */
export async function timeDecode(
  generator: Generator,
  prompt: Int32Array,
  units: number,
  onPrompt?: () => void,
): Promise<number> {
  using session = generator.start();
  await session.prefill(prompt);
  onPrompt?.();
  const started = performance.now();
  // Which tokens come does not matter to the time, so long as they differ.
  for (let step = 0; step < units; step++) await session.step(prompt[step % prompt.length]!);
  return (performance.now() - started) / 1000 / units;
}

export interface DecodeOptions extends Pick<Measure, "prompt" | "units"> {
  /** What the weights are kept in. */
  readonly storage: Storage;
}

/**
 * A model that decodes, one token at a time, through what `finegrain generate` uses. Every round begins anew behind a
 * prompt, so that all rounds see caches of the same length; the prompt is not in the time.
 */
export async function prepareDecode(
  backend: Backend,
  pool: WeightPool,
  name: string,
  model: LanguageModel,
  { prompt, units, storage }: DecodeOptions,
): Promise<Prepared> {
  const record = recording(backend);
  const weights = pool.of(model.params, storage);
  const capacity = prompt + units;
  const generator = await createGenerator({ backend: record.backend, model, weights, capacity, storage });
  const tokens = Int32Array.from({ length: prompt }, (_, position) => (position * 7919) % model.config.vocabulary);
  try {
    await timeDecode(generator, tokens, 1); // compiles what a round needs
  } catch (error) {
    await generator[Symbol.asyncDispose]();
    throw error;
  }
  let bytes = 0;
  const round = async () => {
    const seconds = await timeDecode(generator, tokens, units, () => record.reset());
    bytes = [...record.runs()].reduce((sum, [graph, runs]) => sum + (bytesRead(graph) * runs) / units, 0);
    return seconds;
  };
  return {
    name,
    parameters: parameterCount(model.params),
    tokensPerUnit: 1,
    contestants: [{ name, round }],
    bytesPerToken: () => bytes,
    rooflineShare: (samples, { bandwidth }) => bytes / median(samples.get(name)!.seconds) / bandwidth,
    gemmFlopsPerSecond: () => undefined,
    [Symbol.asyncDispose]: async () => generator[Symbol.asyncDispose](),
  };
}
