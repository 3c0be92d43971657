import type { DrawnToken } from "./likely.ts";
import { piecesOf } from "./pieces.ts";
import { type Decoder, Stream } from "./stream.ts";
import { type WriteOptions, write } from "./write.ts";

/** One stream of text. */
export interface Session extends Disposable {
  /** Tokens in the caches. */
  readonly position: number;
  /**
   * Put the next tokens behind those that are there.
   * @returns float32 [vocabulary]: logits of the token after the last.
   * @param signal an abort ends it at once, with the signal's reason as the error: the session is of no use any more.
   * @throws FinegrainError where there are none, more than the model's `maxLength` in all, or one outside its vocabulary.
   */
  prefill(tokens: Int32Array, signal?: AbortSignal): Promise<Float32Array>;
  /** {@link prefill} of one token. */
  step(token: number): Promise<Float32Array>;
  /**
   * Put the next tokens behind those that are there, and write on. Tokens are drawn on the device, which goes on with each at once; it is
   * read when the step behind it is under way. So the caches have every token that was yielded, but for the very last.
   * @throws FinegrainError as {@link prefill}, where an option is out of its range, and where logits are no distribution.
   */
  write(tokens: Int32Array, options?: WriteOptions): AsyncGenerator<DrawnToken, void, undefined>;
}

/** @param source what the text is to follow, where the model reads one. @throws FinegrainError as {@link Stream} does. */
export function startSession(decoder: Decoder, source?: Int32Array): Session {
  const stream = new Stream(decoder, source);
  const prefill = (tokens: Int32Array, signal?: AbortSignal) => logitsBehind(stream, tokens, signal);
  return {
    get position() {
      return stream.position;
    },
    prefill,
    step: (token) => prefill(Int32Array.of(token)),
    write: (tokens, options = {}) => write(stream, tokens, options),
    [Symbol.dispose]: () => stream[Symbol.dispose](),
  };
}

async function logitsBehind(stream: Stream, tokens: Int32Array, signal?: AbortSignal): Promise<Float32Array> {
  stream.expect(tokens);
  await stream.reserve(tokens.length);
  const pieces = piecesOf(tokens.length, stream.decoder.reading);
  using logits = (await stream.readInPieces(tokens, pieces, signal))!; // there is at least one token
  const { data } = await logits.read(signal);
  return data instanceof Float32Array ? data : Float32Array.from(data);
}
