import { type Backend, FinegrainError, Once } from "@finegrain/graph";
import { type LanguageModel, loadWeights, type ModelWeights, type Storage } from "@finegrain/nn";
import { areCachesByPosition, decodeGraph, encodeGraph, readGraph, type Watch, writeGraph } from "./decode-graph.ts";
import type { DrawnToken } from "./likely.ts";
import { checkSampling, type SamplingOptions } from "./sampling.ts";
import { type Session, startSession } from "./session.ts";
import { writeSliding } from "./sliding.ts";
import { stopSequences } from "./stop.ts";
import { capacityFor, type Decoder } from "./stream.ts";
import type { Tokenizer } from "./tokenizer/index.ts";

export interface GeneratorOptions {
  readonly backend: Backend;
  readonly model: LanguageModel;
  /**
   * By path. Float32 values are put in their `storage` and copied to the device, and those that are elsewhere are read for it one by one; buffers, in the
   * types of `storedTypes`, are used as they are, and stay their owner's.
   */
  readonly weights: ModelWeights;
  /** What large weights are kept in. Default "float32". */
  readonly storage?: Storage;
  /** Tokens that caches have room for from the start. Default: few; they grow. */
  readonly capacity?: number;
  /** What else its steps show: it comes with every token of a session's `write`. */
  readonly watch?: Watch;
}

export interface GenerateOptions extends SamplingOptions {
  readonly maxTokens: number;
  readonly tokenizer: Tokenizer;
  /** Texts before which the output ends. */
  readonly stop?: readonly string[];
  /** Tokens of which any ends the output, and has no text itself. */
  readonly endTokens?: readonly number[];
  /**
   * Tokens that the model sees at a time: a longer text goes on in a window that slides by half of them. At most its `maxLength`.
   * Default: all that, and the text ends with it.
   */
  readonly context?: number | undefined;
  /** What the text is to follow, of a model that reads a source. */
  readonly source?: Int32Array | undefined;
  /** An abort ends the output at once, whatever is under way. */
  readonly signal?: AbortSignal;
}

/** Why a text ended: a stop sequence, an end token, as many tokens as were asked for, no more room in the model's context, or an abort. */
export type End = "stop" | "endToken" | "maxTokens" | "context" | "abort";

/** A token that was drawn, and the text that can be shown now: whole characters that are part of no stop sequence. */
export interface Generated extends Partial<DrawnToken> {
  /** Left out where an abort ends the text: then there is none. */
  readonly token?: number;
  readonly text: string;
  /** With the last of them only. */
  readonly end?: End;
}

/** A language model that writes. */
export interface Generator extends AsyncDisposable {
  /** A new stream of text, for those who sample themselves; of a model that reads a source, behind one. */
  start(source?: Int32Array): Session;
  /**
   * Go on from a prompt, token by token, until `maxTokens`, a stop sequence, an end token, the end of the model's context or an abort.
   * @throws FinegrainError where the prompt is empty, longer than a context that does not slide, or not of the vocabulary, or an
   *   option cannot be.
   */
  generate(prompt: Int32Array, options: GenerateOptions): AsyncGenerator<Generated, void, undefined>;
}

/**
 * Put a language model on a backend for writing.
 * @throws FinegrainError where the weights are not the model's, or the backend cannot keep them as is asked.
 */
export async function createGenerator(options: GeneratorOptions): Promise<Generator> {
  const { backend, model, weights, capacity = 1, storage = "float32", watch } = options;
  const buffers = await loadWeights(backend, model, weights, storage);
  const own = [...buffers].filter(([path, buffer]) => weights.get(path) !== buffer).map(([, buffer]) => buffer);
  const executables = new Once<string, Disposable>();
  /** What was compiled under this key. A key is of one kind of graph. */
  const once = <E extends Disposable>(key: unknown[], compile: () => Promise<E>): Promise<E> =>
    executables.get(JSON.stringify(key), compile) as Promise<E>;
  const decoder: Decoder = {
    backend,
    model,
    reading: { again: areCachesByPosition(model), longest: longestRun(backend) },
    weights: Object.fromEntries(buffers),
    capacity: capacityFor(capacity, model.config.maxLength),
    encode: (source) => once(["encode", source], () => backend.compile(encodeGraph(model, { source, storage }))),
    read: (count, room) =>
      once(["read", count, room], () => {
        const { graph, donate } = readGraph(model, { count, ...room, storage });
        return backend.compile(graph, { donate });
      }),
    decode: (tokens, room) =>
      once(["decode", tokens, room], () => {
        const { graph, donate } = decodeGraph(model, { tokens, ...room, storage });
        return backend.compile(graph, { donate });
      }),
    write: (kind, room) =>
      once(["write", kind, room], () => {
        const { graph, donate } = writeGraph(model, kind, { ...room, storage }, watch);
        return backend.compile(graph, { donate });
      }),
  };
  return {
    start: (source) => startSession(decoder, source),
    generate: (prompt, options) => generate(decoder, prompt, options),
    async [Symbol.asyncDispose]() {
      for (const executable of await executables.clear()) executable[Symbol.dispose]();
      for (const buffer of own) buffer[Symbol.dispose]();
    },
  };
}

/** The most tokens of a prompt's run. The reference computes each op on the caller's thread, where an abort waits for it. */
const longestRun = ({ device }: Backend): number => (device.kind === "reference" ? 64 : 256);

async function* generate(
  decoder: Decoder,
  prompt: Int32Array,
  options: GenerateOptions,
): AsyncGenerator<Generated, void, undefined> {
  const { maxTokens, tokenizer, stop = [], endTokens = [], context, source } = options;
  const { maxLength } = decoder.model.config;
  checkSampling(options);
  if (!(maxTokens >= 1)) throw new FinegrainError(`the tokens to write must be at least 1, not ${maxTokens}`);
  if (prompt.length === 0) throw new FinegrainError("the prompt is empty: there is nothing to go on from");
  if (context !== undefined && !(Number.isInteger(context) && context >= 1 && context <= maxLength))
    throw new FinegrainError(`the context must be a whole number from 1 to the model's ${maxLength}, not ${context}`);
  if (prompt.length > maxLength && context === undefined)
    throw new FinegrainError(
      `the prompt has ${prompt.length} tokens, more than the model's context of ${maxLength}: a window can slide over it (context, --context ${maxLength})`,
    );
  const [stream, stops] = [tokenizer.stream(), stopSequences(stop)];
  if (source && context !== undefined)
    throw new FinegrainError("a text that follows a source has no window that slides: leave the context away");
  using session = startSession(decoder, source);
  /** What was held back in case more was to come. */
  const rest = (): string => stops.push(stream.flush()).text + stops.flush();
  let count = 0;
  for await (const drawn of context === undefined
    ? session.write(prompt, options)
    : writeSliding(decoder, prompt, { ...options, context })) {
    const { token } = drawn;
    count++;
    if (endTokens.includes(token)) return yield { ...drawn, text: rest(), end: "endToken" };
    // A model may have rows for more tokens than there are: those have no text.
    const { text, stopped } = stops.push(token < tokenizer.vocabularySize ? stream.push(token) : "");
    if (stopped) return yield { ...drawn, text, end: "stop" };
    if (count >= maxTokens || (context === undefined && prompt.length + count > maxLength))
      return yield { ...drawn, text: text + rest(), end: count >= maxTokens ? "maxTokens" : "context" };
    yield { ...drawn, text };
  }
  yield { text: rest(), end: "abort" };
}
