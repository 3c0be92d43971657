import { type Buffer, disposeTree, type HostTensor, hostTensor } from "@finegrain/graph";
import type { DrawnToken } from "./likely.ts";
import { marksOf } from "./penalties.ts";
import { type DrawKind, drawKind, drawNumbers, type SamplingOptions, tokenOf } from "./sampling.ts";
import { type Buffers, type Stream, uploadTokens, type Written } from "./stream.ts";

export interface PenOptions extends SamplingOptions {
  /** So many tokens at the end of those that are given were written before. Default 0. */
  readonly written?: number;
}

/** A token on the device, and what is said of it. */
export type Drawing = Pick<Written, "token"> & { readonly likely: Buffers; readonly watched: Buffers };

/** @param position tokens before it. @throws FinegrainError where the logits were no distribution, and an aborted signal's reason. */
export async function readDrawn(
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
export class Pen implements Disposable {
  readonly kind: DrawKind;
  readonly #stream: Stream;
  readonly #draw: Buffers;
  /** On the device, the stream's position and what is known of its text. */
  #state: Pick<Written, "position" | "text">;

  /** @param tokens which the text begins with; some have been read, the others are read by the steps that write. */
  constructor(stream: Stream, tokens: Int32Array, promptEnd: number, options: PenOptions) {
    const { backend, model } = stream.decoder;
    const { vocabulary } = model.config;
    const upload = (values: Readonly<Record<string, HostTensor>>): Buffers =>
      Object.fromEntries(Object.entries(values).map(([name, value]) => [name, backend.upload(value)]));
    this.#stream = stream;
    this.kind = drawKind(options, vocabulary);
    this.#draw = upload(drawNumbers(options, this.kind, promptEnd));
    const text = upload(this.kind.penalties ? { marks: marksOf(tokens, options.written ?? 0, vocabulary) } : {});
    this.#state = { position: backend.upload(hostTensor("int32", [], [stream.position])), text };
  }

  /** Read tokens one by one. @returns the one that was drawn behind the last. */
  async read(tokens: Int32Array): Promise<Drawing> {
    let drawn: Drawing | undefined;
    for (const token of tokens) {
      if (drawn) disposeTree(drawn);
      using given = uploadTokens(this.#stream.decoder.backend, Int32Array.of(token));
      drawn = await this.step(given);
    }
    return drawn!; // there is at least one token
  }

  /** @returns the token that was drawn behind this one. */
  async step(token: Buffer): Promise<Drawing> {
    await this.#stream.reserve(1);
    return this.keep(await this.#stream.write(this.kind, this.given(token)));
  }

  /** What a step takes that reads this token. */
  given(token: Buffer): Written {
    return { ...this.#state, token, draw: this.#draw };
  }

  /** Keep what a step gave for the one behind it. @returns the rest. */
  keep({ position, text, ...drawn }: Drawing & Pick<Written, "position" | "text">): Drawing {
    this.#state = { position, text };
    return drawn;
  }

  [Symbol.dispose](): void {
    disposeTree([this.#state, this.#draw]);
  }
}
