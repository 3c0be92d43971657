import {
  cacheTypes,
  createGenerator,
  type DrawnToken,
  drawKind,
  type Generator,
  type SamplingOptions,
  type Tokenizer,
  type Watch,
  writeGraph,
} from "@finegrain/generate";
import { type Backend, byteSize, bytesRead, type HostTensor } from "@finegrain/graph";
import { type LanguageModel, parameterCount, type Storage } from "@finegrain/nn";
import type { OpenedModel } from "../protocol.ts";
import { unitsOf } from "./units.ts";

/** A token that a model has read: from the prompt, or written by itself. */
export interface ReadToken {
  readonly token: number;
  readonly isPrompt: boolean;
  /** The units that it turned on, layer by layer; undefined where all are on. */
  readonly units: Int32Array | undefined;
}

export interface WatchedModel extends AsyncDisposable {
  readonly facts: OpenedModel;
  readonly tokenizer: Tokenizer;
  /** Read a prompt and write on, until the consumer returns. A text that is longer than the model's context goes on behind its last half. */
  write(prompt: Int32Array, options: SamplingOptions): AsyncGenerator<ReadToken, never, undefined>;
}

export interface WatchedModelOptions {
  readonly name: string;
  readonly backend: Backend;
  readonly model: LanguageModel;
  readonly tokenizer: Tokenizer;
  readonly weights: ReadonlyMap<string, HostTensor>;
  readonly storage: Storage;
  readonly bitsPerByte: number | undefined;
}

/**
 * A model that shows what it turns on. It writes by the generator of `finegrain generate`, with one more output of its steps, so that it
 * writes the same.
 * @throws FinegrainError where the weights are not the model's.
 */
export async function watchedModel(options: WatchedModelOptions): Promise<WatchedModel> {
  const { name, backend, model, tokenizer, weights, storage, bitsPerByte } = options;
  const { maxLength, layers, vocabulary } = model.config;
  // All of the context from the start, so that every step reads as much.
  const shape = { capacity: maxLength, storage };
  const { graph: greedy } = writeGraph(model, drawKind({ temperature: 0 }, vocabulary), shape, watchUnits);
  const units = unitsOf(greedy, greedy.takes.weights);
  const caches = [...cacheTypes(model, maxLength).values()].reduce((bytes, type) => bytes + byteSize(type), 0);
  const generator = await createGenerator({ backend, model, weights, ...shape, watch: watchUnits });
  return {
    facts: {
      name,
      backend: backend.name,
      parameters: parameterCount(model.params),
      bytesPerToken: bytesRead(greedy) - caches,
      bitsPerByte,
      units: { layers, units: units?.units ?? unitsOfDense(model), on: units?.on },
    },
    tokenizer,
    async *write(prompt, options) {
      let window = prompt.slice(-maxLength);
      for (let moves = 0; ; moves++) {
        // Draws are a function of the seed and the place in the window, which begins anew.
        const seed = (options.seed ?? 0) + moves;
        const seen: number[] = [];
        for await (const read of writeWindow(generator, window, { ...options, seed })) {
          seen.push(read.token);
          // What was shown before the window moved is not shown again.
          if (moves === 0 || seen.length > window.length) yield { ...read, isPrompt: moves === 0 && read.isPrompt };
        }
        window = Int32Array.from(seen.slice(-Math.ceil(maxLength / 2)));
      }
    },
    [Symbol.asyncDispose]: async () => generator[Symbol.asyncDispose](),
  };
}

/** Of layers that read all of their units. */
const unitsOfDense = ({ config: { dModel, dFf = 4 * dModel } }: LanguageModel): number => dFf;

const watchUnits: Watch = (step, weights) => {
  const units = unitsOf(step, weights);
  return units ? { units: units.chosen } : {};
};

/** Read a prompt and write on, until the model's context is full. A prompt's tokens are read one by one, since each is shown. */
async function* writeWindow(
  generator: Generator,
  prompt: Int32Array,
  options: SamplingOptions,
): AsyncGenerator<ReadToken, void, undefined> {
  using session = generator.start();
  for (const token of prompt.subarray(0, -1))
    for await (const drawn of session.write(Int32Array.of(token), { ...options, maxTokens: 1 }))
      yield { token, isPrompt: true, units: unitsIn(drawn) };
  let token = prompt.at(-1)!; // a prompt has one
  let isPrompt = true;
  for await (const drawn of session.write(Int32Array.of(token), options)) {
    yield { token, isPrompt, units: unitsIn(drawn) };
    token = drawn.token;
    isPrompt = false;
  }
}

const unitsIn = ({ watched: { units } = {} }: DrawnToken): Int32Array | undefined =>
  units && Int32Array.from(units.data);
