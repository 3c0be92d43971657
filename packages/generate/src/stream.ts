import {
  type Backend,
  type Buffer,
  type Compiled,
  disposeTree,
  FinegrainError,
  type HostTensor,
  hostTensor,
  size,
  type TensorType,
  zeroTensor,
} from "@finegrain/graph";
import { type LanguageModel, PADDING } from "@finegrain/nn";
import {
  cacheTypes,
  type checkGraph,
  type decodeGraph,
  type encodeGraph,
  type readGraph,
  type writeGraph,
  type writeTogetherGraph,
} from "./decode-graph.ts";
import { type Piece, piecesOf, type Reading } from "./pieces.ts";
import type { DrawKind } from "./sampling.ts";

/** Room in the smallest caches; it doubles, since a step reads all of it. */
const SMALLEST_CAPACITY = 64;

/** How a source's vectors are put into the caches. */
const OF_SOURCE: Reading = { again: false, longest: 64 };

/** What a stream needs of the generator that opened it. */
export interface Decoder {
  readonly backend: Backend;
  readonly model: LanguageModel;
  /** How prompts are read. */
  readonly reading: Reading;
  /** As they are stored, by path. */
  readonly weights: Readonly<Record<string, Buffer>>;
  /** Least room that caches are made with. */
  readonly capacity: number;
  /** The {@link encodeGraph} of a source that is padded to so many tokens. */
  encode(source: number): Promise<Encode>;
  /** The {@link readGraph} of so many vectors of a source into caches with this room. */
  read(count: number, room: Room): Promise<Read>;
  /** The {@link decodeGraph} of so many tokens over caches with this room. */
  decode(tokens: number, room: Room): Promise<Decode>;
  /** Caches that are of all tokens so far, see `statesOf`. */
  readonly states: readonly string[];
  /** The {@link writeGraph} of a kind over caches with this room; one that leaves its states, or takes them. */
  write(kind: DrawKind, room: Room, keepsStates: boolean): Promise<Write>;
  /** The {@link checkGraph} of so many tokens over caches with this room. */
  check(kind: DrawKind, tokens: number, room: Room): Promise<Check>;
  /** The {@link writeTogetherGraph} of streams of these kinds over caches with this room. */
  writeTogether(kinds: readonly DrawKind[], room: Room): Promise<WriteTogether>;
}

/** Tokens that caches have room for, and that a source is padded to: 0 where there is none. */
export interface Room {
  readonly capacity: number;
  readonly source: number;
}

export type Encode = Compiled<ReturnType<typeof encodeGraph>>;
export type Read = Compiled<ReturnType<typeof readGraph>["graph"]>;
export type Decode = Compiled<ReturnType<typeof decodeGraph>["graph"]>;
export type Write = Compiled<ReturnType<typeof writeGraph>["graph"]>;
export type Check = Compiled<ReturnType<typeof checkGraph>["graph"]>;
export type WriteTogether = Compiled<ReturnType<typeof writeTogetherGraph>["graph"]>;

/** What a step that writes takes beside weights and caches. */
export interface Written {
  readonly position: Buffer;
  readonly token: Buffer;
  readonly draw: Buffers;
  /** What is known of the text, where there are penalties. */
  readonly text: Buffers;
}

export type Buffers = Readonly<Record<string, Buffer>>;

/** Tokens of one text on a device: int32 [1, n]. */
export const uploadTokens = (backend: Backend, tokens: Int32Array): Buffer =>
  backend.upload(hostTensor("int32", [1, tokens.length], tokens));

/** Room for `needed` tokens: a power of two times the smallest, or all that the model has places for. */
export const capacityFor = (needed: number, longest: number): number =>
  Math.min(longest, SMALLEST_CAPACITY * 2 ** Math.max(0, Math.ceil(Math.log2(needed / SMALLEST_CAPACITY))));

/** The caches of one stream of text, and how far it is. */
export class Stream implements Disposable {
  readonly decoder: Decoder;
  /** What the text follows, until it is read. */
  #unread: Int32Array | undefined;
  #memory: Buffers = {};
  #room: Room;
  #caches: Readonly<Record<string, Buffer>>;
  #position = 0;

  /**
   * @param source what the text is to follow.
   * @throws FinegrainError where the model's texts follow a source and there is none, or the other way round; or it is longer than the
   *   encoder takes, or not of the vocabulary.
   */
  constructor(decoder: Decoder, source?: Int32Array) {
    const { model } = decoder;
    checkSource(model, source);
    this.decoder = decoder;
    this.#unread = source;
    const longest = model.source?.maxLength ?? 0;
    this.#room = { capacity: decoder.capacity, source: source ? capacityFor(source.length, longest) : 0 };
    const types = cacheTypes(model, this.#room.capacity, this.#room.source);
    this.#caches = Object.fromEntries(
      [...types].map(([path, type]) => [path, decoder.backend.upload(zeroTensor(type))]),
    );
  }

  /** Tokens in the caches. */
  get position(): number {
    return this.#position;
  }

  /**
   * Refuse tokens that cannot come next.
   * @throws FinegrainError where there are none, more than the model's `maxLength` in all, or one outside its vocabulary.
   */
  expect(tokens: Int32Array): void {
    const { maxLength, vocabulary } = this.decoder.model.config;
    const end = this.#position + tokens.length;
    if (tokens.length === 0) throw new FinegrainError("there is no token to go on from: the prompt is empty");
    if (end > maxLength) throw new FinegrainError(`${end} tokens do not fit into the model's context of ${maxLength}`);
    expectKnown(tokens, vocabulary);
  }

  /**
   * Make room for so many tokens more: what is cached moves into larger caches where that is needed. A source is read before the first
   * of them.
   */
  async reserve(count: number): Promise<void> {
    const source = this.#unread;
    this.#unread = undefined;
    if (source) await this.#readSource(source);
    await this.#enlarge(this.capacityWith(count));
  }

  /**
   * Take tokens back: the next one is put at this place, or where the first one is.
   * @param states as they were there, see {@link writeKeeping}, which become the stream's. Default: those that are there.
   */
  rewind(position = 0, states: Buffers = {}): void {
    disposeTree(Object.keys(states).map((path) => this.#caches[path]!));
    this.#caches = { ...this.#caches, ...states };
    this.#position = position;
  }

  /** Room that the caches have, or need for so many tokens more. */
  capacityWith(count: number): number {
    const { maxLength } = this.decoder.model.config;
    return Math.max(this.#room.capacity, capacityFor(this.#position + count, maxLength));
  }

  async #enlarge(capacity: number): Promise<void> {
    if (capacity === this.#room.capacity) return;
    const { backend, model } = this.decoder;
    const types = [...cacheTypes(model, capacity, this.#room.source)];
    const larger = await Promise.all(
      types.map(async ([path, type]) => {
        using cache = this.#caches[path]!; // caches of all sizes have the same paths
        return [path, backend.upload(enlarged(await cache.read(), type))] as const;
      }),
    );
    this.#caches = Object.fromEntries(larger);
    this.#room = { ...this.#room, capacity };
  }

  /** Encode a source and, where the text stands behind its vectors, put those into the caches, in pieces. */
  async #readSource(tokens: Int32Array): Promise<void> {
    const { backend, weights, model } = this.decoder;
    const padded = new Int32Array(this.#room.source);
    padded.set(tokens);
    using source = uploadTokens(backend, padded);
    const encode = await this.decoder.encode(padded.length);
    this.#memory = encode.run({ weights, source }).memory;
    if (!model.source?.read) return;
    for (const { from, size } of piecesOf(tokens.length, OF_SOURCE)) {
      const read = await this.decoder.read(size, this.#room);
      using start = backend.upload(hostTensor("int32", [], [from]));
      this.#caches = read.run({ weights, memory: this.#memory, caches: this.#caches, start }).caches;
    }
  }

  /** Read the next tokens of a prompt in one run over the caches, which have room for them. @returns their logits, see `decodeGraph`. */
  async read(tokens: Int32Array): Promise<Buffer> {
    const { backend, weights } = this.decoder;
    const executable = await this.decoder.decode(tokens.length, this.#room);
    using ids = uploadTokens(backend, tokens);
    using position = backend.upload(hostTensor("int32", [], [this.#position]));
    const { caches, logits } = executable.run({
      weights,
      memory: this.#memory,
      caches: this.#caches,
      tokens: ids,
      position,
    });
    this.#caches = caches;
    this.#position += tokens.length;
    return logits;
  }

  /**
   * Read tokens in the runs that `piecesOf` makes of them. No more than two are under way, so that little is left to be done after an abort.
   * @returns the logits behind the last; undefined where there are no runs.
   * @throws the signal's reason where that is aborted.
   */
  async readInPieces(tokens: Int32Array, pieces: readonly Piece[], signal?: AbortSignal): Promise<Buffer | undefined> {
    const begin = this.#position;
    let [before, last]: (Buffer | undefined)[] = [];
    try {
      for (const { from, size } of pieces) {
        await before?.read(signal);
        before?.[Symbol.dispose]();
        before = last;
        this.#position = begin + from;
        last = await this.read(tokens.subarray(from, from + size));
      }
      signal?.throwIfAborted();
      return last;
    } catch (error) {
      last?.[Symbol.dispose]();
      throw error;
    } finally {
      before?.[Symbol.dispose]();
    }
  }

  /** Write a token over the caches, which have room for it. What is given stays the caller's, but for the position and the text. */
  async write(
    kind: DrawKind,
    given: Written,
  ): Promise<Omit<Written, "draw"> & { readonly likely: Buffers; readonly watched: Buffers }> {
    return this.#written(await this.decoder.write(kind, this.#room, false), given);
  }

  /** {@link write}, after which the step can be taken back. @returns also the states before it, which are the caller's. */
  async writeKeeping(kind: DrawKind, given: Written) {
    const executable = await this.decoder.write(kind, this.#room, true);
    const states: Buffers = Object.fromEntries(this.decoder.states.map((path) => [path, this.#caches[path]!]));
    return { ...this.#written(executable, given), states };
  }

  #written(executable: Write, given: Written) {
    const { caches, ...next } = executable.run({
      weights: this.decoder.weights,
      memory: this.#memory,
      caches: this.#caches,
      ...given,
    });
    this.#caches = caches;
    this.#position++;
    return next;
  }

  /**
   * Read the next tokens in one run over the caches, which have room for them. What is given stays the caller's.
   * @param given with `token` int32 [1, count], and else as of {@link write}.
   * @returns int32 [count]: what would have been written behind each of them, see `checkGraph`.
   */
  async check(kind: DrawKind, count: number, given: Written): Promise<Buffer> {
    const executable = await this.decoder.check(kind, count, this.#room);
    const { weights } = this.decoder;
    const { caches, drawn } = executable.run({ weights, caches: this.#caches, ...given });
    this.#caches = caches;
    this.#position += count;
    return drawn;
  }

  /**
   * {@link write} of several streams in one run, without sources.
   * @param capacity room that all of them get: as much as any has or needs, see {@link capacityWith}.
   */
  static async writeTogether(
    streams: readonly Stream[],
    kinds: readonly DrawKind[],
    given: readonly Written[],
    capacity: number,
  ): Promise<(Omit<Written, "draw"> & { readonly likely: Buffers })[]> {
    const { decoder } = streams[0]!; // there is at least one
    for (const stream of streams) await stream.#enlarge(capacity);
    const executable = await decoder.writeTogether(kinds, { capacity, source: 0 });
    const next = executable.run({
      weights: decoder.weights,
      streams: streams.map((stream, i) => ({ caches: stream.#caches, ...given[i]! })),
    });
    return next.streams.map(({ caches, ...own }, i) => {
      const stream = streams[i]!;
      stream.#caches = caches;
      stream.#position++;
      return own;
    });
  }

  [Symbol.dispose](): void {
    disposeTree([this.#caches, this.#memory]);
  }
}

/** @throws FinegrainError where a model's texts follow no such source. */
export function checkSource({ source: reader, config }: LanguageModel, source: Int32Array | undefined): void {
  if (!reader && source) throw new FinegrainError("a language model without an encoder reads no source");
  if (!reader) return;
  if (!source || source.length === 0)
    throw new FinegrainError("this model's texts follow a source: give it one (source, --source)");
  if (source.length > reader.maxLength)
    throw new FinegrainError(
      `the source has ${source.length} tokens, more than the ${reader.maxLength} that the model's encoder takes`,
    );
  if (source.includes(PADDING)) throw new FinegrainError(`token ${PADDING} is padding, which no source has`);
  expectKnown(source, config.vocabulary);
}

/** @throws FinegrainError where a token is not of the vocabulary. */
export function expectKnown(tokens: Int32Array, vocabulary: number): void {
  const foreign = tokens.find((token) => token < 0 || token >= vocabulary);
  if (foreign !== undefined)
    throw new FinegrainError(`token ${foreign} is outside the model's vocabulary of ${vocabulary}`);
}

/** The numbers of a cache at the same places in one that is longer along one axis, or of the same shape. */
function enlarged(cache: HostTensor, type: TensorType): HostTensor {
  const axis = type.shape.findIndex((extent, i) => extent !== cache.shape[i]);
  if (axis < 0) return cache;
  const [from, to] = [cache.shape, type.shape].map((shape) => size(shape.slice(axis))) as [number, number];
  const data = new Float32Array(size(type.shape));
  for (let row = 0; row * from < cache.data.length; row++)
    data.set(cache.data.subarray(row * from, (row + 1) * from), row * to);
  return hostTensor(type.dtype, type.shape, data);
}
