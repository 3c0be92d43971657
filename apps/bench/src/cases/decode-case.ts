import { byteTokenizer, cacheTypes, createGenerator, type Generator } from "@finegrain/generate";
import { type Backend, byteSize, bytesRead, FinegrainError, type Graph } from "@finegrain/graph";
import { type LanguageModel, PADDING, parameterCount, type Storage } from "@finegrain/nn";
import { energyMeter } from "../measure/energy.ts";
import { expectRoom } from "../measure/memory.ts";
import { median } from "../measure/statistics.ts";
import { recording } from "../results/recording.ts";
import type { ModelFigures } from "../results/result.ts";
import type { Measure } from "../suites/suite.ts";
import type { WeightPool } from "./random-weights.ts";
import { tokensOf } from "./tokens.ts";
import { type Prepared, tokenSpeed } from "./variant.ts";

/**
 * Write `units` tokens behind a prompt, each drawn from all on the device. The clock runs from one token to another, and the step behind
 * each is under way when it comes: so on every backend it sees as many steps as tokens.
 *
 * @param onPrompt called when the first token is there and the clock starts.
 * @param source what the text follows, of a model that reads a source.
 * @returns seconds a token, without the prompt's.
 * @throws FinegrainError where the model's context is too short for a token more than these.
 */
export async function timeDecode(
  generator: Generator,
  prompt: Int32Array,
  units: number,
  onPrompt?: () => void,
  source?: Int32Array,
): Promise<number> {
  using session = generator.start(source);
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

/**
 * {@link timeDecode} of as many streams as the generator has, each behind the same prompt with a seed of its own: `units` steps, which write
 * a token of each.
 * @returns seconds a step.
 */
export async function timeStreams(
  generator: Generator,
  prompts: readonly Int32Array[],
  units: number,
  onPrompt?: () => void,
): Promise<number> {
  const tokenizer = byteTokenizer();
  const options = prompts.map((_, seed) => ({ tokenizer, seed, maxTokens: units + 2 }));
  let started = 0;
  let count = 0;
  for await (const { end } of generator.generateAll(prompts, options)) {
    count++;
    if (count === prompts.length) {
      onPrompt?.();
      started = performance.now();
    }
    if (count === prompts.length * (units + 1) && end === undefined)
      return (performance.now() - started) / 1000 / units;
  }
  throw new FinegrainError(`the model's context has no room for ${units + 1} tokens behind each prompt`);
}

/** Tokens that a step's attention sees, on average over `units` steps behind a prompt. */
export const meanTokens = ({ prompt, units }: Pick<Measure, "prompt" | "units">): number => prompt + (units + 1) / 2;

/** Bytes that a decode step has to read of its inputs: of what its attention has room for, the part that holds tokens. */
export function stepBytes(graph: Graph, tokens: number): number {
  const caches = graph.nodes.flatMap(({ op, inputs }) => (op === "cachedAttention" ? inputs.slice(1, 3) : []));
  const empty = caches.map((cache) => byteSize(cache) * Math.max(0, 1 - tokens / cache.shape[2]!)); // [batch, heads, capacity, dHead]
  return bytesRead(graph) - empty.reduce((a, b) => a + b, 0);
}

/** What a generator is opened for. */
export interface Opening {
  readonly pool: WeightPool;
  readonly model: LanguageModel;
  readonly storage: Storage;
  /** Tokens that its caches have room for. */
  readonly capacity: number;
  readonly source?: Int32Array | undefined;
  /** Texts that it writes at a time. Default 1. */
  readonly streams?: number;
}

/**
 * A model that writes, which has compiled what `once` does with it.
 * @throws FinegrainError where its weights and caches do not fit beside what is there, or `once` fails.
 */
export async function openGenerator(
  backend: Backend,
  { pool, model, storage, capacity, source, streams = 1 }: Opening,
  once: (generator: Generator) => Promise<unknown>,
): Promise<Generator> {
  const own = [...cacheTypes(model, capacity, source?.length).values()];
  const caches = Array.from({ length: streams }, () => own).flat();
  expectRoom(backend, [...pool.missing(model.params, storage), ...caches]);
  const weights = pool.of(model.params, storage);
  const generator = await createGenerator({ backend, model, weights, capacity, storage, streams });
  try {
    await once(generator);
    return generator;
  } catch (error) {
    await generator[Symbol.asyncDispose]();
    throw error;
  }
}

export interface DecodeOptions extends Pick<Measure, "prompt" | "units" | "batch"> {
  /** What the weights are kept in. */
  readonly storage: Storage;
}

/**
 * A model that decodes, one token at a time, through what `finegrain generate` uses. Every round begins anew behind a
 * prompt, so that all rounds see caches of the same length; the prompt is not in the time. Where a text follows a source, that is as long
 * as the prompt is elsewhere, and the text begins with nothing. A batch is of so many streams, each of which has a token of every step.
 */
export async function prepareDecode(
  backend: Backend,
  pool: WeightPool,
  name: string,
  model: LanguageModel,
  { prompt, units, batch, storage }: DecodeOptions,
): Promise<Prepared<ModelFigures>> {
  const record = recording(backend);
  const source = model.source && tokensOf(prompt, model.config);
  const begin = source ? Int32Array.of(PADDING) : tokensOf(prompt, model.config);
  const capacity = begin.length + units + 1; // the step behind the last
  const time = (generator: Generator, units: number, onPrompt?: () => void) =>
    batch === 1
      ? timeDecode(generator, begin, units, onPrompt, source)
      : timeStreams(generator, new Array<Int32Array>(batch).fill(begin), units, onPrompt);
  const opening = { pool, model, storage, capacity, source, streams: batch };
  const generator = await openGenerator(record.backend, opening, (opened) => time(opened, 1));
  const energy = energyMeter();
  let bytes = 0;
  let dispatches: number | null = null;
  const round = async () => {
    const onPrompt = () => {
      record.reset();
      energy.start();
    };
    const seconds = await time(generator, units, onPrompt);
    energy.stop(units * batch);
    const seen = meanTokens({ prompt, units });
    bytes = [...record.runs()].reduce((sum, [graph, runs]) => sum + (stepBytes(graph, seen) * runs) / units, 0);
    dispatches = record.dispatches(units);
    return seconds;
  };
  return {
    name,
    contestants: [{ name, round }],
    figures(rounds, { bandwidth }) {
      const { seconds } = rounds.get(name)!;
      return {
        phase: "decode",
        ...tokenSpeed(seconds, batch),
        parameters: parameterCount(model.params),
        bytesPerToken: bytes / batch,
        rooflineShare: bandwidth > 0 ? bytes / median(seconds) / bandwidth : 0,
        joulesPerToken: energy.joulesPerUnit(),
        dispatches,
        context: prompt,
      };
    },
    [Symbol.asyncDispose]: async () => generator[Symbol.asyncDispose](),
  };
}
