import { FinegrainError, shownJson } from "@finegrain/graph";
import type { Fields } from "./fields.ts";

/** Told every part of a text in order: the matches of a pattern, and what lies between them. */
export type Part = (start: number, end: number, isMatch: boolean) => void;
export type Finder = (text: string, part: Part) => void;

/** Makes a RegExp with the flag g of a pattern in Oniguruma's syntax, in which tokenizer.json has its patterns. */
export type CompilePattern = (pattern: string) => RegExp;

/** The characters that are white space to Unicode: `\s` of JavaScript has a byte order mark more and U+0085 less. */
export const WHITE_SPACE = "\\p{White_Space}";
/** The characters of a word in the regular expressions of Rust. */
export const WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}";

/**
 * Finds a regular expression with the flag g. As in Rust and Oniguruma, an empty match directly behind another match is
 * none.
 */
export function finder(regexp: RegExp): Finder {
  return (text, part) => {
    let covered = 0;
    let matched = -1;
    for (let at = 0; at <= text.length; ) {
      regexp.lastIndex = at;
      const match = regexp.exec(text);
      if (match === null) break;
      const start = match.index;
      const end = start + match[0].length;
      if (end === start && start === matched) {
        at = end + characterLength(text, end);
        continue;
      }
      if (covered < start) part(covered, start, false);
      part(start, end, true);
      covered = end;
      matched = end;
      at = end;
    }
    if (covered < text.length) part(covered, text.length, false);
  };
}

/** Code units of the character at `index`. */
export const characterLength = (text: string, index: number): number =>
  (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1;

/** The finder of a pattern as Split and Replace give it: `{ "String": ... }` or `{ "Regex": ... }`. */
export function patternFinder({ value, what }: Fields, compile: CompilePattern): Finder {
  const pattern = (value.pattern ?? {}) as { readonly String?: unknown; readonly Regex?: unknown };
  if (typeof pattern.String === "string") return finder(literal(pattern.String));
  if (typeof pattern.Regex !== "string")
    throw new FinegrainError(`${what} needs "pattern" to have a String or a Regex, not ${shownJson(value.pattern)}`);
  try {
    return finder(compile(pattern.Regex));
  } catch (error) {
    throw new FinegrainError(`${what} has a pattern that is not supported: ${(error as Error).message}`);
  }
}

/** A regular expression that matches just this text. */
export const literal = (text: string): RegExp => new RegExp(text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "gu");

export const BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"] as const;
export type Behavior = (typeof BEHAVIORS)[number];

/** Split a text at what `find` finds; `behavior` says what becomes of the matches. No piece is empty. */
export function splitText(
  text: string,
  find: Finder,
  behavior: Behavior,
  piece: (start: number, end: number) => void,
): void {
  const emit = (start: number, end: number) => {
    if (start < end) piece(start, end);
  };
  const joins = JOINS[behavior];
  let held: { start: number; end: number; isMatch: boolean } | undefined;
  find(text, (start, end, isMatch) => {
    if (isMatch && behavior === "Removed") return;
    if (held !== undefined && joins(held.isMatch, isMatch)) {
      held = { start: held.start, end, isMatch };
      return;
    }
    if (held !== undefined) emit(held.start, held.end);
    held = { start, end, isMatch };
  });
  if (held !== undefined) emit(held.start, held.end);
}

/** Whether a part goes together with the one before it, by whether the two are matches. */
const JOINS: Readonly<Record<Behavior, (before: boolean, isMatch: boolean) => boolean>> = {
  Removed: () => false,
  Isolated: () => false,
  MergedWithPrevious: (before, isMatch) => isMatch && !before,
  MergedWithNext: (before, isMatch) => before && !isMatch,
  Contiguous: (before, isMatch) => before === isMatch,
};

/** Matches become what lies between them, and the other way round. */
export const inverted =
  (find: Finder): Finder =>
  (text, part) =>
    find(text, (start, end, isMatch) => part(start, end, !isMatch));
