import type { CompilePattern } from "./pattern.ts";

/** The characters of a word as Oniguruma's tables have them. */
const WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}²³¹¼½¾";

/** What stands for a word's characters and its ends, written out, since the translator takes them in its own way. */
const IN_CLASS: Readonly<Record<string, string>> = { "\\w": `[${WORD}]`, "\\W": `[^${WORD}]` };
const OUTSIDE: Readonly<Record<string, string>> = {
  ...IN_CLASS,
  "\\b": `(?:(?<=[${WORD}])(?![${WORD}])|(?<![${WORD}])(?=[${WORD}]))`,
  "\\B": `(?:(?<=[${WORD}])(?=[${WORD}])|(?<![${WORD}])(?![${WORD}]))`,
};

/** Translates the regular expressions of a tokenizer.json, by oniguruma-to-es, which is loaded for it. */
export async function onigurumaCompiler(): Promise<CompilePattern> {
  const { toRegExp } = await import("oniguruma-to-es");
  return (pattern) => toRegExp(withWordsWrittenOut(pattern), { global: true });
}

function withWordsWrittenOut(pattern: string): string {
  let depth = 0; // of character classes, in which \b is a backspace
  return pattern.replace(/\\.|[[\]]/gsu, (token) => {
    if (token === "[") depth++;
    else if (token === "]") depth--;
    return (depth > 0 ? IN_CLASS : OUTSIDE)[token] ?? token;
  });
}
