import { type Backend, bytesRead, FinegrainError } from "@finegrain/graph";
import { type LanguageModel, parameterCount, type Storage } from "@finegrain/nn";
import { createGenerator, type Generator } from "@finegrain/runtime";
import type { WeightPool } from "./random-weights.ts";
import { recording } from "./recording.ts";
import { median } from "./statistics.ts";
import type { Measure } from "./suites.ts";
import type { Prepared } from "./variant.ts";

/**
 * Write `units` tokens behind a prompt, each drawn from all on the device. The clock runs from one token to another, and the step behind
 * each is under way when it comes: so on every backend it sees as many steps as tokens.
 *
 * @param onPrompt called when the first token is there and the clock starts.
 * @returns seconds a token, without the prompt's.
 * @throws FinegrainError where the model's context is too short for a token more than these.
 */
export async function timeDecode(
  generator: Generator,
  prompt: Int32Array,
  units: number,
  onPrompt?: () => void,
): Promise<number> {
  using session = generator.start();
  let started = 0;
  let count = 0;
  for await (const _ of session.write(prompt, { maxTokens: units + 2 })) {
    if (count === 0) {
      onPrompt?.();
      started = performance.now();
    }
    // The context has room for the step behind the last token too.
    if (count++ === units && session.position > prompt.length + units)
      return (performance.now() - started) / 1000 / units;
  }
  throw new FinegrainError(
    `the model's context has no room for ${units + 1} tokens behind a prompt of ${prompt.length}`,
  );
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
  const capacity = prompt + units + 1; // the step behind the last
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
