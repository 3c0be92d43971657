import { decodeGraph, type Generator } from "@finegrain/generate";
import type { Backend } from "@finegrain/graph";
import { type LanguageModel, parameterCount, type Storage } from "@finegrain/nn";
import { flops, matrixProducts } from "../limits/matrix-products.ts";
import { energyMeter } from "../measure/energy.ts";
import { median } from "../measure/statistics.ts";
import type { ModelFigures } from "../results/result.ts";
import type { Measure } from "../suites/suite.ts";
import { openGenerator } from "./decode-case.ts";
import type { WeightPool } from "./random-weights.ts";
import { tokensOf } from "./tokens.ts";
import { type Prepared, tokenSpeed } from "./variant.ts";

export interface PrefillOptions extends Pick<Measure, "prompt"> {
  /** What the weights are kept in. */
  readonly storage: Storage;
}

/**
 * A model that reads a prompt: the time from an empty stream until the logits of the first token are there, through what `finegrain generate`
 * uses. Its limit is the machine's fp32 rate.
 */
export async function preparePrefill(
  backend: Backend,
  pool: WeightPool,
  name: string,
  model: LanguageModel,
  { prompt, storage }: PrefillOptions,
): Promise<Prepared<ModelFigures>> {
  const tokens = tokensOf(prompt, model.config);
  const generator = await openGenerator(backend, { pool, model, storage, capacity: prompt }, (opened) =>
    timePrefill(opened, tokens),
  );
  const energy = energyMeter();
  const operations = promptOperations(model, prompt);
  const round = async () => {
    energy.start();
    const seconds = await timePrefill(generator, tokens);
    energy.stop(prompt);
    return seconds / prompt;
  };
  return {
    name,
    contestants: [{ name, round }],
    figures(rounds, { flopRate }) {
      const { seconds } = rounds.get(name)!;
      return {
        phase: "prefill",
        ...tokenSpeed(seconds, 1),
        parameters: parameterCount(model.params),
        bytesPerToken: null,
        rooflineShare: flopRate > 0 ? operations / median(seconds) / flopRate : 0,
        joulesPerToken: energy.joulesPerUnit(),
        context: prompt,
      };
    },
    [Symbol.asyncDispose]: async () => generator[Symbol.asyncDispose](),
  };
}

/**
 * Operations of the matrix products by which a model reads a prompt of so many tokens in one pass, a token: attention to what is behind a token
 * among them, which is masked and need not be computed.
 */
export function promptOperations(model: LanguageModel, prompt: number): number {
  const { graph } = decodeGraph(model, { tokens: prompt, capacity: prompt });
  return matrixProducts(graph).reduce((sum, product) => sum + flops(product), 0) / prompt;
}

/** @returns seconds from a new stream to the logits behind the prompt. */
async function timePrefill(generator: Generator, prompt: Int32Array): Promise<number> {
  const started = performance.now();
  using session = generator.start();
  await session.prefill(prompt);
  return (performance.now() - started) / 1000;
}
