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
import { cacheTypes, type DecodeShape } from "./decode-graph.ts";

/** Tokens that a run of a prompt takes, longest first: every prompt is made of these, so few graphs are compiled. */
const CHUNKS = [64, 8, 1] as const;
/** Room in the smallest caches; it doubles, since a step reads all of it. */
const SMALLEST_CAPACITY = 64;

/** What a session needs of the generator that opened it. */
export interface Decoder {
  readonly backend: Backend;
  readonly model: LanguageModel;
  readonly weights: readonly Buffer[];
  /** Least room that caches are made with. */
  readonly capacity: number;
  compiled(shape: DecodeShape): Promise<Executable>;
}

/** One stream of text: its caches, and how far it is. */
export interface Session extends Disposable {
  /** Tokens in the caches. */
  readonly position: number;
  /**
   * Put the next tokens behind those that are there.
   * @returns float32 [vocabulary]: logits of the token after the last.
   * @throws FinegrainError where there are none, more than the model's `maxLength` in all, or one outside its vocabulary.
   */
  prefill(tokens: Int32Array): Promise<Float32Array>;
  /** {@link prefill} of one token. */
  step(token: number): Promise<Float32Array>;
}

/** Room for `needed` tokens: a power of two times the smallest, or all that the model has places for. */
export const capacityFor = (needed: number, longest: number): number =>
  Math.min(longest, SMALLEST_CAPACITY * 2 ** Math.max(0, Math.ceil(Math.log2(needed / SMALLEST_CAPACITY))));

export function startSession(decoder: Decoder): Session {
  return new CachedSession(decoder);
}

class CachedSession implements Session {
  readonly #decoder: Decoder;
  #capacity: number;
  #caches: Buffer[];
  #position = 0;

  constructor(decoder: Decoder) {
    this.#decoder = decoder;
    this.#capacity = decoder.capacity;
    this.#caches = cacheTypes(decoder.model, decoder.capacity).map((type) => decoder.backend.upload(zeroTensor(type)));
  }

  get position(): number {
    return this.#position;
  }

  async prefill(tokens: Int32Array): Promise<Float32Array> {
    const { maxLength, vocabulary } = this.#decoder.model.config;
    const end = this.#position + tokens.length;
    if (tokens.length === 0) throw new FinegrainError("there is no token to go on from: the prompt is empty");
    if (end > maxLength) throw new FinegrainError(`${end} tokens do not fit into the model's context of ${maxLength}`);
    const foreign = tokens.find((token) => token < 0 || token >= vocabulary);
    if (foreign !== undefined)
      throw new FinegrainError(`token ${foreign} is outside the model's vocabulary of ${vocabulary}`);
    if (end > this.#capacity) await this.#grow(capacityFor(end, maxLength));
    let logits: Buffer | undefined;
    for (let at = 0; at < tokens.length; ) {
      const count = CHUNKS.find((chunk) => chunk <= tokens.length - at)!; // the last is 1
      logits?.[Symbol.dispose]();
      logits = await this.#run(tokens.subarray(at, at + count));
      at += count;
    }
    const { data } = await logits!.read(); // there is at least one token
    logits![Symbol.dispose]();
    return data instanceof Float32Array ? data : Float32Array.from(data);
  }

  step(token: number): Promise<Float32Array> {
    return this.prefill(Int32Array.of(token));
  }

  async #run(tokens: Int32Array): Promise<Buffer> {
    const { backend, weights } = this.#decoder;
    const executable = await this.#decoder.compiled({ tokens: tokens.length, capacity: this.#capacity });
    const given = [
      backend.upload(hostTensor("int32", [1, tokens.length], tokens)),
      backend.upload(hostTensor("int32", [], [this.#position])),
    ];
    const outputs = executable.run([...weights, ...this.#caches, ...given]);
    for (const buffer of given) buffer[Symbol.dispose]();
    this.#caches = outputs.slice(0, -1);
    this.#position += tokens.length;
    return outputs.at(-1)!; // the logits
  }

  /** Move what is cached into larger caches. */
  async #grow(capacity: number): Promise<void> {
    const { backend, model } = this.#decoder;
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
