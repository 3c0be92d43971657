import { FinegrainError } from "@finegrain/graph";
import { toByteAlphabet } from "./byte-alphabet.ts";
import { type Fields, type Makers, makePart } from "./fields.ts";
import { partOf, type Stretch } from "./normalizers.ts";
import {
  BEHAVIORS,
  type Behavior,
  type CompilePattern,
  type Finder,
  finder,
  inverted,
  literal,
  patternFinder,
  type Range,
  splitText,
  WHITE_SPACE,
  WORD,
} from "./pattern.ts";
import { splitScripts } from "./scripts.ts";

/** Splits a stretch into those that are tokenized by themselves. */
export type PreTokenizer = (stretch: Stretch) => Iterable<Stretch>;

/** The pre-tokenizer that a tokenizer.json describes. */
export function makePreTokenizer(value: unknown, what: string, compile: CompilePattern): PreTokenizer {
  const makers: Makers<PreTokenizer> = {
    BertPreTokenizer: () => inTurn([splitting(WHITE, "Removed"), splitting(PUNCTUATION, "Isolated")]),
    ByteLevel: byteLevel,
    CharDelimiterSplit: (fields) => splitting(finder(literal(fields.character("delimiter"))), "Removed"),
    Digits: (fields) => splitting(finder(/\p{N}/gu), fields.flag("individual_digits") ? "Isolated" : "Contiguous"),
    FixedLength: fixedLength,
    Metaspace: metaspace,
    Punctuation: (fields) => splitting(PUNCTUATION, fields.choice("behavior", BEHAVIORS, "Isolated")),
    Sequence: (fields, make) => inTurn(fields.list("pretokenizers").map(make)),
    Split: (fields) => {
      const find = patternFinder(fields, compile);
      return splitting(fields.flag("invert") ? inverted(find) : find, fields.choice("behavior", BEHAVIORS));
    },
    UnicodeScripts: () => (stretch) => piecesOf(stretch, splitScripts(stretch.text)),
    Whitespace: () => splitting(inverted(WORDS), "Removed"),
    WhitespaceSplit: () => splitting(WHITE, "Removed"),
  };
  return makePart(value, what, makers);
}

const WHITE = finder(new RegExp(WHITE_SPACE, "gu"));
const WORDS = finder(new RegExp(`[${WORD}]+|[^${WORD}${WHITE_SPACE}]+`, "gu"));
const PUNCTUATION = finder(/[\p{P}$+<=>^`|~]/gu);
/** The words of GPT-2. */
const BYTE_LEVEL_WORDS = finder(
  new RegExp(
    `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^${WHITE_SPACE}\\p{L}\\p{N}]+|${WHITE_SPACE}+(?![^${WHITE_SPACE}])|${WHITE_SPACE}+`,
    "gu",
  ),
);

/** The pieces of a stretch that are given by their ends. */
function* piecesOf(stretch: Stretch, ranges: Iterable<Range>): Iterable<Stretch> {
  for (const range of ranges) yield partOf(stretch, range);
}

const splitting =
  (find: Finder, behavior: Behavior): PreTokenizer =>
  (stretch) =>
    piecesOf(stretch, splitText(stretch.text, find, behavior));

const whole: PreTokenizer = (stretch) => [stretch];

/** One behind the other. */
const inTurn = (preTokenizers: readonly PreTokenizer[]): PreTokenizer =>
  preTokenizers.reduceRight<PreTokenizer>(
    (next, split) =>
      next === whole
        ? split
        : function* (stretch) {
            for (const piece of split(stretch)) yield* next(piece);
          },
    whole,
  );

/** What is put before a stretch counts as coming from its first character. */
const prefixed = ({ text, leading }: Stretch, prefix: string): Stretch => ({
  text: prefix + text,
  leading: leading && leading + prefix.length,
});

function byteLevel(fields: Fields): PreTokenizer {
  const addSpace = fields.flag("add_prefix_space");
  const split = fields.flag("use_regex", true) ? splitting(BYTE_LEVEL_WORDS, "Isolated") : whole;
  return function* (stretch) {
    const given = addSpace && !stretch.text.startsWith(" ") ? prefixed(stretch, " ") : stretch;
    for (const { text, leading } of split(given))
      yield { text: toByteAlphabet(text), leading: toByteAlphabet(text.slice(0, leading)).length };
  };
}

function fixedLength(fields: Fields): PreTokenizer {
  const length = fields.count("length", 5);
  if (length === 0) throw new FinegrainError(`${fields.what} needs "length" to be at least 1`);
  return splitting(finder(new RegExp(`[^]{1,${length}}`, "gu")), "Isolated");
}

export const PREPEND_SCHEMES = ["always", "first", "never"] as const;

/** When Metaspace puts its character before a text; older files have a flag instead. */
export function prependScheme(fields: Fields): (typeof PREPEND_SCHEMES)[number] {
  if (fields.flag("add_prefix_space", true)) return fields.choice("prepend_scheme", PREPEND_SCHEMES, "always");
  if (fields.choice("prepend_scheme", PREPEND_SCHEMES, "never") === "never") return "never";
  throw new FinegrainError(`${fields.what} has add_prefix_space false, which its prepend_scheme contradicts`);
}

function metaspace(fields: Fields): PreTokenizer {
  const replacement = fields.character("replacement");
  const scheme = prependScheme(fields);
  const split = fields.flag("split", true) ? splitting(finder(literal(replacement)), "MergedWithNext") : whole;
  return ({ text, leading }) => {
    const stretch = { text: text.replaceAll(" ", replacement), leading }; // a space and its replacement are one code unit
    const prepends = scheme === "always" || (scheme === "first" && leading > 0);
    return split(prepends && !stretch.text.startsWith(replacement) ? prefixed(stretch, replacement) : stretch);
  };
}
