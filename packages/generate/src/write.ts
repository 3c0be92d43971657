import { type Buffer, disposeTree, type HostTensor, hostTensor } from "@finegrain/graph";
import { checkSampling, type DrawKind, drawKind, drawNumbers, type SamplingOptions, tokenOf } from "./sampling.ts";
import type { Stream } from "./stream.ts";

/** Tokens of a prompt that a run takes, longest first. What is left is read one by one, by the steps that write. */
const CHUNKS = [64, 8] as const;

export interface WriteOptions extends SamplingOptions {
  /** Default: as many as the model's context has room for. */
  readonly maxTokens?: number;
}

/** See `write` of a `Session`. */
export async function* write(
  stream: Stream,
  tokens: Int32Array,
  options: WriteOptions,
): AsyncGenerator<number, void, undefined> {
  const { maxLength } = stream.decoder.model.config;
  const { maxTokens = maxLength } = options;
  checkSampling(options);
  stream.check(tokens);
  await stream.reserve(tokens.length);
  let at = 0;
  for (const count of CHUNKS)
    for (; at + count < tokens.length; at += count)
      (await stream.read(tokens.subarray(at, at + count)))[Symbol.dispose]();
  using pen = new Pen(stream, options);
  let drawn = await pen.read(tokens.subarray(at));
  let next: Buffer | undefined;
  try {
    for (let count = 1; ; count++) {
      const { position } = stream;
      next = count < maxTokens && position < maxLength ? await pen.step(drawn) : undefined;
      yield tokenOf((await drawn.read()).data[0]!, position);
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
