import { type Backend, FinegrainError, Once } from "@finegrain/graph";
import { type LanguageModel, loadWeights, type ModelWeights, type Storage } from "@finegrain/nn";
import {
  checkGraph,
  decodeGraph,
  encodeGraph,
  readGraph,
  statesOf,
  type Watch,
  writeGraph,
  writeTogetherGraph,
} from "./decode-graph.ts";
import { DraftLength } from "./draft-length.ts";
import type { DrawnToken } from "./likely.ts";
import { type Session, startSession } from "./session.ts";
import { type Generated, type GenerateOptions, Shown } from "./shown.ts";
import { writeSliding } from "./sliding.ts";
import { type Drafting, expectDrafts, speculate } from "./speculate.ts";
import { capacityFor, type Decoder } from "./stream.ts";
import { type GeneratedOf, generateTogether } from "./together.ts";

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
  /** Texts that `generateAll` writes at a time, each with caches of its own. Default 1. */
  readonly streams?: number;
  /**
   * A model that is faster and writes much the same: it drafts several tokens, and this one checks them in one step, so that `generate` writes
   * what this one would have written, also where tokens are drawn, only faster. How many it drafts is found while it writes.
   */
  readonly draft?: Draft | undefined;
}

/** A model of the same tokens, and its weights. */
export type Draft = Pick<GeneratorOptions, "model" | "weights" | "storage">;

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
  /**
   * Go on from many prompts, as many at a time as the generator has `streams`: each step reads the weights once and writes a token of
   * every text, and where one ends the next prompt takes its place. Each text is what {@link generate} writes, up to the rounding of
   * products over several rows.
   * @param options of all, or of each prompt for itself.
   * @throws FinegrainError before anything is written, as `generate` does for any of them; where there are not as many options as
   *   prompts, the model reads a source, or a window is to slide.
   */
  generateAll(
    prompts: readonly Int32Array[],
    options: GenerateOptions | readonly GenerateOptions[],
  ): AsyncGenerator<GeneratedOf, void, undefined>;
}

/**
 * Put a language model on a backend for writing.
 * @throws FinegrainError where the weights are not the model's, the backend cannot keep them as is asked, or a draft is of a model that
 *   cannot write the same text.
 */
export async function createGenerator(options: GeneratorOptions): Promise<Generator> {
  const { streams = 1, draft } = options;
  if (!(Number.isInteger(streams) && streams >= 1))
    throw new FinegrainError(`the streams of a generator must be a whole number of at least 1, not ${streams}`);
  if (draft) expectDrafts(options.model, draft.model);
  const opened = await openDecoder(options);
  const { decoder } = opened;
  const drafter = draft && (await openDrafter(options, draft, opened));
  const drafting = drafter && { drafter: drafter.decoder, choice: new DraftLength() };
  return {
    start: (source) => startSession(decoder, source),
    generate: (prompt, options) => generate(decoder, drafting, prompt, options),
    generateAll: (prompts, options) => generateTogether(decoder, streams, prompts, options),
    async [Symbol.asyncDispose]() {
      await opened[Symbol.asyncDispose]();
      await drafter?.[Symbol.asyncDispose]();
    },
  };
}

type Opened = AsyncDisposable & { readonly decoder: Decoder };

/** What drafts for a model that was opened; where it cannot be opened, that one is put away too. */
async function openDrafter(options: GeneratorOptions, draft: Draft, opened: Opened): Promise<Opened> {
  const { backend, capacity } = options;
  try {
    return await openDecoder({ backend, ...draft, ...(capacity !== undefined && { capacity }) });
  } catch (error) {
    await opened[Symbol.asyncDispose]();
    throw error;
  }
}

/** Weights on a device, and what is compiled for them as it is asked for. */
async function openDecoder(options: GeneratorOptions): Promise<Opened> {
  const { backend, model, weights, capacity = 1, storage = "float32", watch } = options;
  const buffers = await loadWeights(backend, model, weights, storage);
  const states = statesOf(model);
  const own = [...buffers].filter(([path, buffer]) => weights.get(path) !== buffer).map(([, buffer]) => buffer);
  const executables = new Once<string, Disposable>();
  /** What was compiled under this key. A key is of one kind of graph. */
  const once = <E extends Disposable>(key: unknown[], compile: () => Promise<E>): Promise<E> =>
    executables.get(JSON.stringify(key), compile) as Promise<E>;
  const decoder: Decoder = {
    backend,
    model,
    reading: { again: states.length === 0, longest: longestRun(backend) },
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
    states,
    write: (kind, room, keepsStates) =>
      once(["write", kind, room, keepsStates], () => {
        const { graph, donate } = writeGraph(model, kind, { ...room, storage, keepsStates }, watch);
        return backend.compile(graph, { donate });
      }),
    check: (kind, tokens, room) =>
      once(["check", kind, tokens, room], () => {
        const { graph, donate } = checkGraph(model, kind, { tokens, ...room, storage });
        return backend.compile(graph, { donate });
      }),
    writeTogether: (kinds, room) =>
      once(["write together", kinds, room], () => {
        const { graph, donate } = writeTogetherGraph(model, kinds, { ...room, storage });
        return backend.compile(graph, { donate });
      }),
  };
  return {
    decoder,
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
  drafting: Drafting | undefined,
  prompt: Int32Array,
  options: GenerateOptions,
): AsyncGenerator<Generated, void, undefined> {
  const { context, source } = options;
  const shown = new Shown(prompt, options, decoder.model.config.maxLength);
  if (drafting) return yield* shownAsDrawn(shown, speculate(decoder, drafting, prompt, options));
  using session = startSession(decoder, source);
  yield* shownAsDrawn(
    shown,
    context === undefined ? session.write(prompt, options) : writeSliding(decoder, prompt, { ...options, context }),
  );
}

async function* shownAsDrawn(
  shown: Shown,
  tokens: AsyncIterable<DrawnToken>,
): AsyncGenerator<Generated, void, undefined> {
  for await (const drawn of tokens) {
    const piece = shown.push(drawn);
    yield piece;
    if (piece.end) return;
  }
  yield shown.abort();
}
