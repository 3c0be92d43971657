import { type Buffer, disposeTree, FinegrainError, type HostTensor, hostTensor } from "@finegrain/graph";
import type { DrawnToken } from "./likely.ts";
import { marksOf } from "./penalties.ts";
import { piecesOf } from "./pieces.ts";
import { checkSampling, type DrawKind, drawKind, drawNumbers, type SamplingOptions, tokenOf } from "./sampling.ts";
import type { Buffers, Stream, Written } from "./stream.ts";

export interface WriteOptions extends SamplingOptions {
  /** Default: as many as the model's context has room for. */
  readonly maxTokens?: number;
  /** So many tokens at the end of those that are given were written before, and are not of the prompt. Default 0. */
  readonly written?: number;
  /** An abort ends the writing at once, whatever is under way. */
  readonly signal?: AbortSignal;
}

/** See `write` of a `Session`. */
export async function* write(
  stream: Stream,
  tokens: Int32Array,
  options: WriteOptions,
): AsyncGenerator<DrawnToken, void, undefined> {
  const { maxLength } = stream.decoder.model.config;
  const { maxTokens = maxLength, signal } = options;
  checkSampling(options);
  stream.check(tokens);
  const { written = 0 } = options;
  if (!(Number.isInteger(written) && written >= 0 && written <= tokens.length))
    throw new FinegrainError(`of ${tokens.length} tokens so many cannot have been written: ${written}`);
  await stream.reserve(tokens.length);
  // Single tokens at the end are read by the steps that write, which are compiled in any case, as the last one is.
  const pieces = piecesOf(tokens.length - 1, stream.decoder.reading).filter(({ size }) => size > 1);
  const { from, size } = pieces.at(-1) ?? { from: 0, size: 0 };
  try {
    (await stream.readInPieces(tokens, pieces, signal))?.[Symbol.dispose]();
    yield* writeOn(stream, tokens, from + size, { ...options, maxTokens });
  } catch (error) {
    if (!signal?.aborted) throw error;
  }
}

/** Write on behind tokens of which the first few have been read, and the others are read one by one. */
async function* writeOn(
  stream: Stream,
  tokens: Int32Array,
  read: number,
  options: WriteOptions & { readonly maxTokens: number },
): AsyncGenerator<DrawnToken, void, undefined> {
  const { maxLength } = stream.decoder.model.config;
  const { maxTokens, signal } = options;
  const left = tokens.subarray(read);
  using pen = new Pen(stream, tokens, stream.position + left.length, options);
  let drawn = await pen.read(left);
  let next: Drawing | undefined;
  try {
    for (let count = 1; ; count++) {
      const { position } = stream;
      next = count < maxTokens && position < maxLength ? await pen.step(drawn.token) : undefined;
      yield await readDrawn(drawn, position, signal);
      if (next === undefined) return;
      disposeTree(drawn);
      drawn = next;
    }
  } finally {
    disposeTree([drawn, next ?? []]);
  }
}

/** A token on the device, and what is said of it. */
type Drawing = Pick<Written, "token"> & { readonly likely: Buffers; readonly watched: Buffers };

async function readDrawn(
  { token, likely, watched }: Drawing,
  position: number,
  signal?: AbortSignal,
): Promise<DrawnToken> {
  const drawn = tokenOf((await token.read(signal)).data[0]!, position);
  const shown = await Promise.all(
    Object.entries(watched).map(async ([name, buffer]) => [name, await buffer.read(signal)] as const),
  );
  const own = { token: drawn, ...(shown.length > 0 && { watched: Object.fromEntries(shown) }) };
  const { tokens, logProbabilities } = likely;
  if (tokens === undefined || logProbabilities === undefined) return own;
  const [ids, logs] = await Promise.all([tokens.read(signal), logProbabilities.read(signal)]);
  // The token itself is the first.
  const [{ logProbability } = {}, ...others] = Array.from(ids.data, (token, i) => ({
    token,
    logProbability: logs.data[i]!,
  }));
  return { ...own, ...(logProbability !== undefined && { logProbability }), likely: others };
}

/** Steps that write, and what passes between them on the device. */
class Pen implements Disposable {
  readonly #stream: Stream;
  readonly #kind: DrawKind;
  readonly #draw: Buffers;
  /** On the device, the stream's position and what is known of its text. */
  #state: Pick<Written, "position" | "text">;

  /** @param tokens which the text begins with; some have been read, the others are read by the steps that write. */
  constructor(stream: Stream, tokens: Int32Array, promptEnd: number, options: WriteOptions) {
    const { backend, model } = stream.decoder;
    const { vocabulary } = model.config;
    const upload = (values: Readonly<Record<string, HostTensor>>): Buffers =>
      Object.fromEntries(Object.entries(values).map(([name, value]) => [name, backend.upload(value)]));
    this.#stream = stream;
    this.#kind = drawKind(options, vocabulary);
    this.#draw = upload(drawNumbers(options, this.#kind, promptEnd));
    const text = upload(this.#kind.penalties ? { marks: marksOf(tokens, options.written ?? 0, vocabulary) } : {});
    this.#state = { position: backend.upload(hostTensor("int32", [], [stream.position])), text };
  }

  /** Read tokens one by one. @returns the one that was drawn behind the last. */
  async read(tokens: Int32Array): Promise<Drawing> {
    let drawn: Drawing | undefined;
    for (const token of tokens) {
      if (drawn) disposeTree(drawn);
      using given = this.#stream.decoder.backend.upload(hostTensor("int32", [1, 1], [token]));
      drawn = await this.step(given);
    }
    return drawn!; // there is at least one token
  }

  /** @returns the token that was drawn behind this one. */
  async step(token: Buffer): Promise<Drawing> {
    await this.#stream.reserve(1);
    const { position, text, ...drawn } = await this.#stream.write(this.#kind, {
      ...this.#state,
      token,
      draw: this.#draw,
    });
    this.#state = { position, text };
    return drawn;
  }

  [Symbol.dispose](): void {
    disposeTree([this.#state, this.#draw]);
  }
}
