import { atOnce, type Turns } from "@finegrain/graph";
import { type Ids, newIds } from "./ids.ts";

/** Words whose tokens are remembered, and the length of the longest: ordinary text has few distinct short words. */
const MOST_WORDS = 65536;
const LONGEST_WORD = 64;

/** Adds the tokens of a word, in turns or at once. */
type Tokenize<R extends void | Turns<void>> = (word: string, ids: Ids) => R;

/** Tokenizes word after word, and remembers the tokens of short ones. */
export function rememberingWords<R extends void | Turns<void>>(tokenize: Tokenize<R>): Tokenize<R | void> {
  const remembered = new Map<string, Int32Array>();
  return (word, ids) => {
    if (word.length > LONGEST_WORD) return tokenize(word, ids);
    let tokens = remembered.get(word);
    if (tokens === undefined) {
      const fresh = newIds();
      const turns = tokenize(word, fresh);
      if (turns) atOnce(turns);
      tokens = fresh.take();
      if (remembered.size >= MOST_WORDS) remembered.clear();
      remembered.set(word, tokens);
    }
    ids.append(tokens);
  };
}
