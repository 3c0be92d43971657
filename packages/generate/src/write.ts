import { type Buffer, disposeTree, type HostTensor, hostTensor } from "@finegrain/graph";
import { checkSampling, type DrawKind, drawKind, drawNumbers, type SamplingOptions, tokenOf } from "./sampling.ts";
import type { Stream } from "./stream.ts";

/** Tokens of a prompt that a run takes, longest first, each a multiple of the next. What is left is read one by one, by the steps that write. */
const CHUNKS = [64, 8] as const;

export interface WriteOptions extends SamplingOptions {
  /** Default: as many as the model's context has room for. */
  readonly maxTokens?: number;
  /** An abort ends the writing at once, whatever is under way. */
  readonly signal?: AbortSignal;
}

/** See `write` of a `Session`. */
export async function* write(
  stream: Stream,
  tokens: Int32Array,
  options: WriteOptions,
): AsyncGenerator<number, void, undefined> {
  const { maxLength } = stream.decoder.model.config;
  const { maxTokens = maxLength, signal } = options;
  checkSampling(options);
  stream.check(tokens);
  await stream.reserve(tokens.length);
  const least = CHUNKS.at(-1)!; // there are some
  const whole = Math.floor((tokens.length - 1) / least) * least;
  try {
    (await stream.readInPieces(tokens.subarray(0, whole), CHUNKS, signal))?.[Symbol.dispose]();
    yield* writeOn(stream, tokens.subarray(whole), { ...options, maxTokens });
  } catch (error) {
    if (!signal?.aborted) throw error;
  }
}

/** Write on behind tokens that are read one by one. */
async function* writeOn(
  stream: Stream,
  tokens: Int32Array,
  options: WriteOptions & { readonly maxTokens: number },
): AsyncGenerator<number, void, undefined> {
  const { maxLength } = stream.decoder.model.config;
  const { maxTokens, signal } = options;
  using pen = new Pen(stream, options);
  let drawn = await pen.read(tokens);
  let next: Buffer | undefined;
  try {
    for (let count = 1; ; count++) {
      const { position } = stream;
      next = count < maxTokens && position < maxLength ? await pen.step(drawn) : undefined;
      yield tokenOf((await drawn.read(signal)).data[0]!, position);
      if (next === undefined) return;
      drawn[Symbol.dispose]();
      drawn = next;
    }
  } finally {
    drawn[Symbol.dispose]();
    next?.[Symbol.dispose]();
  }
}

/** Steps that write, and what passes between them on the device. */
class Pen implements Disposable {
  readonly #stream: Stream;
  readonly #kind: DrawKind;
  readonly #draw: Readonly<Record<string, Buffer>>;
  /** On the device, the stream's position. */
  #position: Buffer;

  constructor(stream: Stream, options: SamplingOptions) {
    const { backend, model } = stream.decoder;
    this.#stream = stream;
    this.#kind = drawKind(options, model.config.vocabulary);
    const numbers: Readonly<Record<string, HostTensor>> = this.#kind.greedy ? {} : drawNumbers(options);
    this.#draw = Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, backend.upload(value)]));
    this.#position = backend.upload(hostTensor("int32", [], [stream.position]));
  }

  /** Read tokens one by one. @returns the one that was drawn behind the last. */
  async read(tokens: Int32Array): Promise<Buffer> {
    let drawn: Buffer | undefined;
    for (const token of tokens) {
      drawn?.[Symbol.dispose]();
      using given = this.#stream.decoder.backend.upload(hostTensor("int32", [1, 1], [token]));
      drawn = await this.step(given);
    }
    return drawn!; // there is at least one token
  }

  /** @returns the token that was drawn behind this one. */
  async step(token: Buffer): Promise<Buffer> {
    await this.#stream.reserve(1);
    const given = { position: this.#position, token, draw: this.#draw };
    const next = await this.#stream.write(this.#kind, given);
    this.#position = next.position;
    return next.token;
  }

  [Symbol.dispose](): void {
    disposeTree([this.#position, this.#draw]);
  }
}
