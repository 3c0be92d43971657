// One model drafts, another checks several tokens in one step and has the last word.

import { type Buffer, disposeTree, FinegrainError } from "@finegrain/graph";
import type { LanguageModel } from "@finegrain/nn";
import { statesOf } from "./decode-graph.ts";
import type { DraftLength } from "./draft-length.ts";
import type { DrawnToken } from "./likely.ts";
import { Pen } from "./pen.ts";
import { tokenOf } from "./sampling.ts";
import type { GenerateOptions } from "./shown.ts";
import { type Buffers, checkSource, type Decoder, expectKnown, Stream, uploadTokens } from "./stream.ts";
import { readAhead } from "./write.ts";

/** What drafts for a model, and what is known of how many tokens it had better draft. */
export interface Drafting {
  readonly drafter: Decoder;
  readonly choice: DraftLength;
}

/** @throws FinegrainError where a model cannot draft for another, or that one cannot take tokens back. */
export function expectDrafts(model: LanguageModel, draft: LanguageModel): void {
  const [{ vocabulary, maxLength }, other] = [model.config, draft.config];
  if (model.source || draft.source) throw new FinegrainError("texts that follow a source are not drafted");
  if (other.vocabulary !== vocabulary)
    throw new FinegrainError(
      `a model of ${other.vocabulary} tokens cannot draft for one of ${vocabulary}: both need the same tokenizer`,
    );
  if (other.maxLength < maxLength)
    throw new FinegrainError(
      `a model with a context of ${other.maxLength} tokens cannot draft for one of ${maxLength}: it would not see the whole text`,
    );
  const [state] = statesOf(model);
  if (state !== undefined)
    throw new FinegrainError(
      `what is drafted can be taken back where every cache has a place for each token, and ${state} has not: let a dense model check`,
    );
}

/**
 * What `write` of a session writes, in rounds: a draft of some tokens, and a step of the model that reads them all.
 *
 * Every draw is a function of the seed and its place, so that what the model draws behind the tokens that it agreed with is what it would have
 * drawn by itself: the text is the same, and needs no second lot for tokens that are refused. The model that drafts draws with the same
 * noise, which makes the two agree about as often as can be (Gumbel's coupling: Daliri et al. 2025, "Coupling without Communication
 * and Drafter-Invariant Speculative Decoding"). After Leviathan et al. 2023, "Fast Inference from Transformers via Speculative Decoding".
 */
export async function* speculate(
  decoder: Decoder,
  { drafter, choice }: Drafting,
  prompt: Int32Array,
  options: GenerateOptions,
): AsyncGenerator<DrawnToken, void, undefined> {
  const { maxTokens, signal } = options;
  if (options.context !== undefined) throw new FinegrainError("a text with a window that slides is not drafted");
  checkSource(decoder.model, options.source);
  if (options.logProbabilities !== undefined)
    throw new FinegrainError("how likely tokens were is not told of drafted texts: leave the draft away");
  const { maxLength, vocabulary } = decoder.model.config;
  expectKnown(prompt, vocabulary);
  using rounds = new Rounds(decoder, { drafter, choice }, prompt, options);
  try {
    await rounds.begin();
    for (let count = 0; count < maxTokens && rounds.length <= maxLength; )
      for (const token of await rounds.round(Math.min(maxTokens - count, maxLength + 1 - rounds.length))) {
        yield { token };
        count++;
      }
  } catch (error) {
    if (!signal?.aborted) throw error;
  }
}

/** Tokens that are written at a time where drafts do not pay: nobody waits for them one by one. */
const ALONE = 16;

/** A text of which the last token is read by neither of the two streams. */
class Rounds implements Disposable {
  readonly #model: Stream;
  readonly #draft: Stream;
  readonly #options: GenerateOptions;
  readonly #promptEnd: number;
  readonly #choice: DraftLength;
  /** All tokens so far. */
  #text: Int32Array;

  constructor(decoder: Decoder, { drafter, choice }: Drafting, prompt: Int32Array, options: GenerateOptions) {
    this.#model = new Stream(decoder);
    this.#draft = new Stream(drafter);
    this.#options = options;
    this.#choice = choice;
    this.#promptEnd = prompt.length;
    this.#text = prompt;
  }

  /** Tokens so far. */
  get length(): number {
    return this.#text.length;
  }

  /** Read the prompt, but for its last token. */
  async begin(): Promise<void> {
    const read = await readAhead(this.#model, this.#text, this.#options.signal);
    for (let at = read; at < this.#text.length - 1; at++) await this.#checked(this.#text.subarray(at, at + 1));
  }

  /** The next tokens of the text, at least one and at most `most`. */
  async round(most: number): Promise<Int32Array> {
    const { length: end } = this.#text;
    const length = this.#choice.next(most - 1);
    const room = [this.#model, this.#draft].map((stream) => stream.capacityWith(length + 1)).join();
    const started = performance.now();
    if (length === 0) {
      const count = Math.min(ALONE, most);
      const { tokens } = await this.#written(this.#model, count);
      this.#choice.push({ length, accepted: 0, seconds: (performance.now() - started) / 1000 / count, room });
      return this.#append(tokens);
    }
    const { tokens, states } = await this.#written(this.#draft, length);
    try {
      const own = await this.#checked(Int32Array.from([this.#text[end - 1]!, ...tokens.map(known)]));
      let accepted = 0;
      while (accepted < length && own[accepted] === tokens[accepted]) accepted++;
      this.#choice.push({ length, accepted, seconds: (performance.now() - started) / 1000, room });
      this.#model.rewind(end + accepted);
      // What drafts has not read the last token that it drafted.
      if (accepted < length - 1) this.#draft.rewind(end + accepted, states.splice(accepted + 1, 1)[0]);
      return this.#append(own.slice(0, accepted + 1));
    } finally {
      disposeTree(states);
    }
  }

  /** @throws FinegrainError where a token is none, since logits were no distribution. */
  #append(drawn: Int32Array): Int32Array {
    const fresh = drawn.map((token, i) => tokenOf(token, this.#text.length - 1 + i));
    this.#text = Int32Array.from([...this.#text, ...fresh]);
    return fresh;
  }

  /** What the model draws behind each of the next tokens of the text and of a draft. */
  async #checked(tokens: Int32Array): Promise<Int32Array> {
    const stream = this.#model;
    await stream.reserve(tokens.length);
    using pen = this.#pen(stream);
    using given = uploadTokens(stream.decoder.backend, tokens);
    using drawn = await stream.check(pen.kind, tokens.length, pen.given(given));
    return Int32Array.from((await drawn.read(this.#options.signal)).data);
  }

  /** What a stream writes behind the text, and its states before each of the steps, which read the text's last token and all of them but the last. */
  async #written(stream: Stream, count: number): Promise<{ tokens: Int32Array; states: Buffers[] }> {
    const { signal } = this.#options;
    await readAhead(stream, this.#text.subarray(stream.position), signal);
    using pen = this.#pen(stream);
    for (const token of this.#text.subarray(stream.position, -1)) disposeTree(await pen.read(Int32Array.of(token)));
    await stream.reserve(count);
    const states: Buffers[] = [];
    const drawn: Buffer[] = [uploadTokens(stream.decoder.backend, this.#text.subarray(-1))];
    try {
      while (drawn.length <= count) {
        const { states: before, ...next } = await stream.writeKeeping(pen.kind, pen.given(drawn.at(-1)!));
        states.push(before);
        drawn.push(pen.keep(next).token);
      }
      const tokens = await Promise.all(drawn.slice(1).map(async (token) => (await token.read(signal)).data[0]!));
      return { tokens: Int32Array.from(tokens), states };
    } catch (error) {
      disposeTree(states);
      throw error;
    } finally {
      disposeTree(drawn);
    }
  }

  /** What draws behind the text where a stream is. */
  #pen(stream: Stream): Pen {
    const written = this.#text.length - this.#promptEnd;
    return new Pen(stream, this.#text, this.#promptEnd, { ...this.#options, written });
  }

  [Symbol.dispose](): void {
    for (const stream of [this.#model, this.#draft]) stream[Symbol.dispose]();
  }
}

/** Where a draft's logits were no numbers there is no token: the first one stands for it, and is checked as any other. */
const known = (token: number): number => Math.max(token, 0);
