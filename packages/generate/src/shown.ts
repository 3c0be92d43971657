import { FinegrainError } from "@finegrain/graph";
import type { DrawnToken } from "./likely.ts";
import { checkSampling, type SamplingOptions } from "./sampling.ts";
import { type StopSequences, stopSequences } from "./stop.ts";
import type { Tokenizer, TokenStream } from "./tokenizer/index.ts";

export interface GenerateOptions extends SamplingOptions {
  readonly maxTokens: number;
  readonly tokenizer: Tokenizer;
  /** Texts before which the output ends. */
  readonly stop?: readonly string[];
  /** Tokens of which any ends the output, and has no text itself. */
  readonly endTokens?: readonly number[];
  /**
   * Tokens that the model sees at a time: a longer text goes on in a window that slides by half of them. At most its `maxLength`.
   * Default: all that, and the text ends with it.
   */
  readonly context?: number | undefined;
  /** What the text is to follow, of a model that reads a source. */
  readonly source?: Int32Array | undefined;
  /** An abort ends the output at once, whatever is under way. */
  readonly signal?: AbortSignal;
}

/** Why a text ended: a stop sequence, an end token, as many tokens as were asked for, no more room in the model's context, or an abort. */
export type End = "stop" | "endToken" | "maxTokens" | "context" | "abort";

/** A token that was drawn, and the text that can be shown now: whole characters that are part of no stop sequence. */
export interface Generated extends Partial<DrawnToken> {
  /** Left out where an abort ends the text: then there is none. */
  readonly token?: number;
  readonly text: string;
  /** With the last of them only. */
  readonly end?: End;
}

/** A text as its tokens come: what of it can be shown, and where it ends. */
export class Shown {
  readonly #prompt: Int32Array;
  readonly #options: GenerateOptions;
  readonly #maxLength: number;
  readonly #stream: TokenStream;
  readonly #stops: StopSequences;
  #count = 0;

  /** @throws FinegrainError where the prompt is empty or longer than a context that does not slide, or an option cannot be. */
  constructor(prompt: Int32Array, options: GenerateOptions, maxLength: number) {
    checkOptions(prompt, options, maxLength);
    this.#prompt = prompt;
    this.#options = options;
    this.#maxLength = maxLength;
    this.#stream = options.tokenizer.stream();
    this.#stops = stopSequences(options.stop ?? []);
  }

  /** The next token. After one that ends the text there is no other. */
  push(drawn: DrawnToken): Generated {
    const { maxTokens, tokenizer, endTokens = [], context } = this.#options;
    const { token } = drawn;
    this.#count++;
    if (endTokens.includes(token)) return { ...drawn, text: this.#rest(), end: "endToken" };
    // A model may have rows for more tokens than there are: those have no text.
    const { text, stopped } = this.#stops.push(token < tokenizer.vocabularySize ? this.#stream.push(token) : "");
    if (stopped) return { ...drawn, text, end: "stop" };
    const isLast = this.#count >= maxTokens;
    if (isLast || (context === undefined && this.#prompt.length + this.#count > this.#maxLength))
      return { ...drawn, text: text + this.#rest(), end: isLast ? "maxTokens" : "context" };
    return { ...drawn, text };
  }

  /** The end of a text that was aborted. */
  abort(): Generated {
    return { text: this.#rest(), end: "abort" };
  }

  /** What was held back in case more was to come. */
  #rest(): string {
    return this.#stops.push(this.#stream.flush()).text + this.#stops.flush();
  }
}

function checkOptions(prompt: Int32Array, options: GenerateOptions, maxLength: number): void {
  const { maxTokens, context, source } = options;
  checkSampling(options);
  if (!(maxTokens >= 1)) throw new FinegrainError(`the tokens to write must be at least 1, not ${maxTokens}`);
  if (prompt.length === 0) throw new FinegrainError("the prompt is empty: there is nothing to go on from");
  if (context !== undefined && !(Number.isInteger(context) && context >= 1 && context <= maxLength))
    throw new FinegrainError(`the context must be a whole number from 1 to the model's ${maxLength}, not ${context}`);
  if (prompt.length > maxLength && context === undefined)
    throw new FinegrainError(
      `the prompt has ${prompt.length} tokens, more than the model's context of ${maxLength}: a window can slide over it (context, --context ${maxLength})`,
    );
  if (source && context !== undefined)
    throw new FinegrainError("a text that follows a source has no window that slides: leave the context away");
}
