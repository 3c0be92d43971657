import {
  type Backend,
  type Buffer,
  type Executable,
  FinegrainError,
  type HostTensor,
  hostTensor,
  size,
  type TensorType,
  zeroTensor,
} from "@finegrain/graph";
import type { LanguageModel } from "@finegrain/nn";
import { cacheTypes } from "./decode-graph.ts";
import type { DrawKind } from "./sampling.ts";

/** Room in the smallest caches; it doubles, since a step reads all of it. */
const SMALLEST_CAPACITY = 64;

/** What a stream needs of the generator that opened it. */
export interface Decoder {
  readonly backend: Backend;
  readonly model: LanguageModel;
  readonly weights: readonly Buffer[];
  /** Least room that caches are made with. */
  readonly capacity: number;
  /** The `decodeGraph` of so many tokens or the `writeGraph` of a kind, over caches with this room. */
  compiled(step: number | DrawKind, capacity: number): Promise<Executable>;
}

/** Room for `needed` tokens: a power of two times the smallest, or all that the model has places for. */
export const capacityFor = (needed: number, longest: number): number =>
  Math.min(longest, SMALLEST_CAPACITY * 2 ** Math.max(0, Math.ceil(Math.log2(needed / SMALLEST_CAPACITY))));

/** The caches of one stream of text, and how far it is. */
export class Stream implements Disposable {
  readonly decoder: Decoder;
  #capacity: number;
  #caches: Buffer[];
  #position = 0;

  constructor(decoder: Decoder) {
    this.decoder = decoder;
    this.#capacity = decoder.capacity;
    this.#caches = cacheTypes(decoder.model, decoder.capacity).map((type) => decoder.backend.upload(zeroTensor(type)));
  }

  /** Tokens in the caches. */
  get position(): number {
    return this.#position;
  }

  /**
   * Refuse tokens that cannot come next.
   * @throws FinegrainError where there are none, more than the model's `maxLength` in all, or one outside its vocabulary.
   */
  check(tokens: Int32Array): void {
    const { maxLength, vocabulary } = this.decoder.model.config;
    const end = this.#position + tokens.length;
    if (tokens.length === 0) throw new FinegrainError("there is no token to go on from: the prompt is empty");
    if (end > maxLength) throw new FinegrainError(`${end} tokens do not fit into the model's context of ${maxLength}`);
    const foreign = tokens.find((token) => token < 0 || token >= vocabulary);
    if (foreign !== undefined)
      throw new FinegrainError(`token ${foreign} is outside the model's vocabulary of ${vocabulary}`);
  }

  /** Make room for so many tokens more: what is cached moves into larger caches where that is needed. */
  async reserve(count: number): Promise<void> {
    const { backend, model } = this.decoder;
    const end = this.#position + count;
    if (end <= this.#capacity) return;
    const capacity = capacityFor(end, model.config.maxLength);
    const types = cacheTypes(model, capacity);
    this.#caches = await Promise.all(
      this.#caches.map(async (buffer, i) => {
        const larger = backend.upload(enlarged(await buffer.read(), types[i]!));
        buffer[Symbol.dispose]();
        return larger;
      }),
    );
    this.#capacity = capacity;
  }

  /**
   * Run a step over the caches, which have room for it.
   * @param given what it takes behind weights and caches. It stays the caller's.
   * @returns what it leaves behind the caches.
   */
  async run(step: number | DrawKind, given: readonly Buffer[]): Promise<Buffer[]> {
    const executable = await this.decoder.compiled(step, this.#capacity);
    const outputs = executable.run([...this.decoder.weights, ...this.#caches, ...given]);
    this.#caches = outputs.slice(0, this.#caches.length);
    this.#position += typeof step === "number" ? step : 1;
    return outputs.slice(this.#caches.length);
  }

  /** Read the next tokens of a prompt in one run. @returns their logits, see `decodeGraph`. */
  async read(tokens: Int32Array): Promise<Buffer> {
    const { backend } = this.decoder;
    const given = [hostTensor("int32", [1, tokens.length], tokens), hostTensor("int32", [], [this.#position])];
    const buffers = given.map((value) => backend.upload(value));
    const [logits] = await this.run(tokens.length, buffers);
    for (const buffer of buffers) buffer[Symbol.dispose]();
    return logits!; // it leaves one
  }

  [Symbol.dispose](): void {
    for (const buffer of this.#caches) buffer[Symbol.dispose]();
  }
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
