import { PADDING, type SourceTokens } from "@finegrain/nn";
import { checkToken, encodingOf, type Tokenizer } from "./tokenizer.ts";

/** A tokenizer whose tokens are those of another one and some that stand for no text. */
export interface SentinelTokenizer extends Tokenizer {
  readonly special: SourceTokens;
}

const END = PADDING + 1;
const FIRST = END + 1;
/** As in T5. */
const LEAST_SENTINELS = 100;
/** The vocabulary is a multiple of this, so that sparse loss layers can cut it. */
const MULTIPLE = 64;

/**
 * The tokens of a model whose texts follow a source: padding, the end, those of `tokenizer`, and behind them sentinels, 100 or as many more
 * as make the vocabulary a multiple of 64. Raffel et al. 2020, "T5", 3.1.4.
 */
export function withSentinels(tokenizer: Tokenizer): SentinelTokenizer {
  const sentinel = FIRST + tokenizer.vocabularySize;
  const vocabularySize = Math.ceil((sentinel + LEAST_SENTINELS) / MULTIPLE) * MULTIPLE;
  const size = { name: tokenizer.name, vocabularySize };
  const ofText = (ids: Int32Array): Int32Array => ids.map((id) => id + FIRST);
  const stream = () => {
    const text = tokenizer.stream();
    return {
      push(id: number) {
        checkToken(id, size);
        if (id >= FIRST && id < sentinel) return text.push(id - FIRST);
        return text.flush() + (id >= sentinel ? `<extra_id_${id - sentinel}>` : "");
      },
      flush: () => text.flush(),
    };
  };
  return {
    ...size,
    special: { end: END, sentinel, sentinels: vocabularySize - sentinel },
    ...(tokenizer.json !== undefined && { json: tokenizer.json }),
    ...(tokenizer.endOfText !== undefined && { endOfText: tokenizer.endOfText + FIRST }),
    encode: (text) => ofText(tokenizer.encode(text)),
    *encoding(text) {
      return ofText(yield* encodingOf(tokenizer, text));
    },
    decode(ids) {
      const decoder = stream();
      return Array.from(ids, (id) => decoder.push(id)).join("") + decoder.flush();
    },
    stream,
  };
}
