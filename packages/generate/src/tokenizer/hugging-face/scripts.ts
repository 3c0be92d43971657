import type { Range } from "./pattern.ts";

/** The scripts that the original knows (Unicode 9); characters of others count as a space does. */
const SCRIPTS = (
  "Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak Bengali Bhaiksuki " +
  "Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham Cherokee " +
  "Common Coptic Cuneiform Cypriot Cyrillic Deseret Devanagari Duployan Egyptian_Hieroglyphs Elbasan Ethiopic " +
  "Georgian Glagolitic Gothic Grantha Greek Gujarati Gurmukhi Han Hangul Hanunoo Hatran Hebrew Hiragana " +
  "Imperial_Aramaic Inherited Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi Kannada Katakana " +
  "Kayah_Li Kharoshthi Khmer Khojki Khudawadi Lao Latin Lepcha Limbu Linear_A Linear_B Lisu Lycian Lydian Mahajani " +
  "Malayalam Mandaic Manichaean Marchen Meetei_Mayek Mende_Kikakui Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi " +
  "Mongolian Mro Multani Myanmar Nabataean New_Tai_Lue Newa Nko Ogham Ol_Chiki Old_Hungarian Old_Italic " +
  "Old_North_Arabian Old_Permic Old_Persian Old_South_Arabian Old_Turkic Oriya Osage Osmanya Pahawh_Hmong " +
  "Palmyrene Pau_Cin_Hau Phags_Pa Phoenician Psalter_Pahlavi Rejang Runic Samaritan Saurashtra Sharada Shavian " +
  "Siddham SignWriting Sinhala Sora_Sompeng Sundanese Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le Tai_Tham " +
  "Tai_Viet Takri Tamil Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta Ugaritic Vai Warang_Citi Yi"
).split(" ");

/** Characters whose script is remembered. */
const MOST_REMEMBERED = 65536;
const KATAKANA_LENGTH_MARK = "ー";

let patterns: readonly (readonly [script: string, pattern: RegExp])[] | undefined;

function scriptOf(character: string): string | undefined {
  if (character === " ") return undefined;
  if (character === KATAKANA_LENGTH_MARK) return "Han";
  patterns ??= SCRIPTS.map((name) => [name, new RegExp(`\\p{Script=${name}}`, "u")] as const);
  const script = patterns.find(([, pattern]) => pattern.test(character))?.[0];
  return script === "Hiragana" || script === "Katakana" ? "Han" : script;
}

/**
 * Split a text where its script changes, as SentencePiece does: spaces belong to the script before them, and those at
 * the beginning to no piece. The Japanese scripts are one.
 */
export function* splitScripts(text: string): Iterable<Range> {
  const remembered = new Map<string, string | undefined>();
  let last: string | undefined;
  let start = -1;
  let at = 0;
  for (const character of text) {
    let script = remembered.get(character);
    if (script === undefined && !remembered.has(character)) {
      if (remembered.size >= MOST_REMEMBERED) remembered.clear();
      script = scriptOf(character);
      remembered.set(character, script);
    }
    if (script !== undefined && script !== last) {
      if (start >= 0) yield { start, end: at };
      start = at;
      last = script;
    }
    at += character.length;
  }
  if (start >= 0 && start < at) yield { start, end: at };
}
