import { FinegrainError } from "@finegrain/graph";
import { toByteAlphabet } from "./byte-alphabet.ts";
import { type Fields, type Makers, makePart } from "./fields.ts";
import { type CompilePattern, type Finder, patternFinder, type Range, WHITE_SPACE } from "./pattern.ts";
import { precompiled } from "./precompiled.ts";

/** A stretch of the text on its way to tokens. */
export interface Stretch {
  readonly text: string;
  /** Code units at its beginning that come from the first character of what is encoded, which Metaspace's `first` asks for. */
  readonly leading: number;
}

/** A part of a stretch. */
export const partOf = ({ text, leading }: Stretch, { start, end }: Range): Stretch => ({
  text: text.slice(start, end),
  leading: Math.max(0, Math.min(leading, end) - start),
});

/** Text to the form that a tokenizer's vocabulary has it in. */
export type Normalizer = (stretch: Stretch) => Stretch;

/** The normalizer that a tokenizer.json describes. */
export function makeNormalizer(value: unknown, what: string, compile: CompilePattern): Normalizer {
  const makers: Makers<Normalizer> = {
    BertNormalizer: bert,
    NFC: () => onText((text) => text.normalize("NFC")),
    NFD: () => onText((text) => text.normalize("NFD")),
    NFKC: () => onText((text) => text.normalize("NFKC")),
    NFKD: () => onText((text) => text.normalize("NFKD")),
    Lowercase: () => onText(lowercase),
    Strip: (fields) => strip(fields),
    StripAccents: () => removing(/\p{M}/gu),
    Replace: (fields) => replacing(patternFinder(fields, compile), fields.text("content")),
    Prepend: prepend,
    Precompiled: precompile,
    Nmt: () => inTurn([removing(NMT_CONTROL), onText((text) => text.replace(NMT_SPACE, " "))]),
    ByteLevel: () => onText(toByteAlphabet),
    Sequence: (fields, make) => inTurn(fields.list("normalizers").map(make)),
  };
  return makePart(value, what, makers);
}

/** What the normalizer of Google's machine translation leaves out: control characters but tab, ends of lines and U+0000. */
const NMT_CONTROL = /[^\P{Cc}\0\t\n\f\r\x80-\x8E\x90-\x9E]/gu;
/** What the normalizer of Google's machine translation takes for a space. */
const NMT_SPACE = /[\t\n\f\r\u1680\u200B-\u200F\u2028\u2029\u2581\uFEFF\uFFFD]/gu;
/** The blocks of Chinese characters, between which Bert puts spaces. */
const CHINESE =
  /[\u4E00-\u9FFF\u3400-\u4DBF\u{20000}-\u{2A6DF}\u{2A700}-\u{2B73F}\u{2B740}-\u{2B81F}\u{2B920}-\u{2CEAF}\uF900-\uFAFF\u{2F800}-\u{2FA1F}]/gu;

const inTurn =
  (normalizers: readonly Normalizer[]): Normalizer =>
  (stretch) =>
    normalizers.reduce((result, normalize) => normalize(result), stretch);

/** A normalizer that maps the characters of a text, or takes them away, each by itself or with its neighbours. */
const onText =
  (map: (text: string) => string): Normalizer =>
  ({ text, leading }) => ({ text: map(text), leading: map(text.slice(0, leading)).length });

/** Removes what a pattern with the flag g matches. */
const removing = (characters: RegExp): Normalizer => onText((text) => text.replace(characters, ""));

/** Every character by itself, as Rust does it: in a whole text, JavaScript writes a sigma at the end of a word as ς. */
function lowercase(text: string): string {
  if (!text.includes("Σ")) return text.toLowerCase();
  return text
    .split("Σ")
    .map((part) => part.toLowerCase())
    .join("σ");
}

function bert(fields: Fields): Normalizer {
  const lower = fields.flag("lowercase", true);
  const steps: Normalizer[] = [];
  if (fields.flag("clean_text", true)) {
    steps.push(removing(/[\0\uFFFD]|[^\P{Cc}\t\n\r]|\p{Cf}|\p{Co}/gu));
    steps.push(onText((text) => text.replace(new RegExp(WHITE_SPACE, "gu"), " ")));
  }
  if (fields.flag("handle_chinese_chars", true)) steps.push(onText((text) => text.replace(CHINESE, " $& ")));
  if (fields.flag("strip_accents", lower))
    steps.push(
      onText((text) => text.normalize("NFD")),
      removing(/\p{Mn}/gu),
    );
  if (lower) steps.push(onText(lowercase));
  return inTurn(steps);
}

function strip(fields: Fields): Normalizer {
  const left = fields.flag("strip_left");
  const right = fields.flag("strip_right");
  return (stretch) => {
    const { text } = stretch;
    const start = left ? text.search(new RegExp(`[^${WHITE_SPACE}]|$`, "u")) : 0;
    let end = text.length;
    if (right) while (end > start && /\p{White_Space}/u.test(text[end - 1]!)) end--;
    return partOf(stretch, { start, end });
  };
}

/** Replaces what is found by `content`, which counts as coming from the last character that it replaces. */
function replacing(find: Finder, content: string): Normalizer {
  return ({ text, leading }) => {
    const parts: string[] = [];
    let replacedLeading = 0;
    for (const { start, end, isMatch } of find(text)) {
      const part = isMatch ? content : text.slice(start, end);
      parts.push(part);
      if (start < leading && (!isMatch || end <= leading))
        replacedLeading += isMatch ? part.length : Math.min(end, leading) - start;
    }
    return { text: parts.join(""), leading: replacedLeading };
  };
}

function prepend(fields: Fields): Normalizer {
  const prefix = fields.text("prepend");
  return ({ text, leading }) =>
    text === "" ? { text, leading } : { text: prefix + text, leading: leading && leading + prefix.length };
}

function precompile(fields: Fields): Normalizer {
  const base64 = fields.text("precompiled_charsmap");
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    throw new FinegrainError(`${fields.what} has a precompiled_charsmap that is not base64`);
  }
  return onText(precompiled(bytes));
}
