import { FinegrainError } from "@finegrain/graph";
import { checkToken, type Tokenizer, type TokenStream } from "./tokenizer.ts";

/** What we use of @huggingface/tokenizers' Tokenizer. */
interface Decoder {
  decode(ids: number[], options: { skip_special_tokens: boolean; clean_up_tokenization_spaces: boolean }): string;
}

/**
 * A tokenizer from the content of a Hugging Face `tokenizer.json`. Special tokens are neither added when encoding nor
 * left out when decoding, and no spaces are tidied, so that text comes back as it was where the tokenizer allows.
 * The package @huggingface/tokenizers is loaded by the first call.
 *
 * @param json the text of the file.
 * @param name what to call the tokenizer, e.g. the file's path.
 * @throws FinegrainError where the text is no JSON or describes no tokenizer.
 */
export async function huggingFaceTokenizer(json: string, name: string): Promise<Tokenizer> {
  const description = parse(json, name);
  const { Tokenizer: HuggingFaceTokenizer } = await import("@huggingface/tokenizers");
  let tokenizer: InstanceType<typeof HuggingFaceTokenizer>;
  try {
    tokenizer = new HuggingFaceTokenizer(description, {}); // the second argument is tokenizer_config.json: not needed
  } catch (error) {
    throw new FinegrainError(`${name} is not a tokenizer.json: ${(error as Error).message}`);
  }
  let largest = -1;
  for (const id of tokenizer.get_vocab(true).values()) largest = Math.max(largest, id);
  const size = { name, vocabularySize: largest + 1 };
  const decode = (ids: readonly number[]) => decodeExactly(tokenizer, ids);
  return {
    ...size,
    encode: (text) => Int32Array.from(tokenizer.encode(text, { add_special_tokens: false }).ids),
    decode(ids) {
      const list = Array.from(ids);
      for (const id of list) checkToken(id, size);
      return decode(list);
    },
    stream() {
      const { push, flush } = decodeStream(decode);
      return {
        push(id) {
          checkToken(id, size);
          return push(id);
        },
        flush,
      };
    },
  };
}

function parse(json: string, name: string): object {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new FinegrainError(`${name} is not a tokenizer.json: ${(error as Error).message}`);
  }
  if (typeof value === "object" && value !== null) return value;
  throw new FinegrainError(`${name} is not a tokenizer.json: expected an object, found ${JSON.stringify(value)}`);
}

function decodeExactly(tokenizer: Decoder, ids: readonly number[]): string {
  if (ids.length === 0) return ""; // which the package refuses
  return tokenizer.decode([...ids], { skip_special_tokens: false, clean_up_tokenization_spaces: false });
}

/** An incomplete character has at most this many bytes, each of which a decoder may show as one U+FFFD. */
const INCOMPLETE_BYTES = 3;
/** Tokens that are decoded anew for every one that comes, where the text never ends on a whole character. */
const LONGEST_WINDOW = 64;

/**
 * Streaming over a decoder that only knows whole sequences. A window of the last tokens is decoded each time: the tokens
 * of the text emitted before it, which decide about a leading space, then those that are not settled. U+FFFD at the end
 * may be half a character and waits.
 */
function decodeStream(decode: (ids: readonly number[]) => string): TokenStream {
  let context: number[] = [];
  let fresh: number[] = [];
  let emitted = 0; // characters of the fresh tokens' text that were returned
  const text = () => decode([...context, ...fresh]).slice(decode(context).length);
  const settle = () => {
    context = fresh;
    fresh = [];
    emitted = 0;
  };
  return {
    push(id) {
      fresh.push(id);
      const whole = text();
      let certain = whole.length;
      while (certain > 0 && whole.length - certain < INCOMPLETE_BYTES && whole[certain - 1] === "\uFFFD") certain--;
      const full = fresh.length >= LONGEST_WINDOW;
      const next = whole.slice(emitted, full ? undefined : certain);
      emitted += next.length;
      if (full || certain === whole.length) settle();
      return next;
    },
    flush() {
      const rest = text().slice(emitted);
      context = [];
      fresh = [];
      emitted = 0;
      return rest;
    },
  };
}
