import { FinegrainError, shownJson } from "@finegrain/graph";
import type { Fields } from "./fields.ts";

/** A piece of a text, by its ends. */
export interface Range {
  readonly start: number;
  readonly end: number;
}
/** A match of a pattern, or what lies between two. */
export interface Part extends Range {
  readonly isMatch: boolean;
}
/** All parts of a text, in order. */
export type Finder = (text: string) => Iterable<Part>;

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
  return function* (text) {
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
      if (covered < start) yield { start: covered, end: start, isMatch: false };
      yield { start, end, isMatch: true };
      covered = end;
      matched = end;
      at = end;
    }
    if (covered < text.length) yield { start: covered, end: text.length, isMatch: false };
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
export function* splitText(text: string, find: Finder, behavior: Behavior): Iterable<Range> {
  const joins = JOINS[behavior];
  let held: Part | undefined;
  for (const part of find(text)) {
    if (part.isMatch && behavior === "Removed") continue;
    if (held !== undefined && joins(held.isMatch, part.isMatch)) {
      held = { ...part, start: held.start };
      continue;
    }
    if (held !== undefined && held.start < held.end) yield held;
    held = part;
  }
  if (held !== undefined && held.start < held.end) yield held;
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
export const inverted = (find: Finder): Finder =>
  function* (text) {
    for (const { start, end, isMatch } of find(text)) yield { start, end, isMatch: !isMatch };
  };
