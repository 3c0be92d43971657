import { FinegrainError, type JsonObject, jsonObject, shownJson } from "@finegrain/graph";
import { bytePair } from "./byte-pair.ts";
import { type Fields, fieldsOf } from "./fields.ts";
import { type Model, noToken, vocabularyOf } from "./model.ts";
import { unigram } from "./unigram.ts";

const MODELS: Readonly<Record<string, (fields: Fields) => Model>> = {
  BPE: bytePair,
  Unigram: unigram,
  WordLevel: wordLevel,
  WordPiece: wordPiece,
};

/** The model that a tokenizer.json describes. Old files do not say its type. */
export function makeModel(value: unknown, what: string): Model {
  const model = jsonObject(value, what);
  const type = model.type ?? typeOf(model);
  const make = typeof type === "string" && Object.hasOwn(MODELS, type) ? MODELS[type] : undefined;
  if (make === undefined)
    throw new FinegrainError(
      `${what} is of the type ${shownJson(type)}, which is not supported: known are ${Object.keys(MODELS).join(", ")}`,
    );
  return make(fieldsOf(model, `${what} ${type}`));
}

function typeOf({ vocab, merges, continuing_subword_prefix: prefix }: JsonObject): string {
  if (Array.isArray(vocab)) return "Unigram";
  if (merges !== undefined) return "BPE";
  return prefix === undefined ? "WordLevel" : "WordPiece";
}

function wordLevel(fields: Fields): Model {
  const vocabulary = vocabularyOf(fields);
  const unknown = vocabulary.get(fields.text("unk_token", "<unk>"));
  return {
    vocabulary,
    size: vocabulary.size,
    tokenize(text, ids) {
      const id = vocabulary.get(text) ?? unknown;
      if (id === undefined) throw noToken(fields.what, text);
      ids.push(id);
    },
  };
}

/** The longest tokens from the left; a word that they do not cover is unknown as a whole. */
function wordPiece(fields: Fields): Model {
  const vocabulary = vocabularyOf(fields);
  const unknown = vocabulary.get(fields.text("unk_token", "[UNK]"));
  const prefix = fields.text("continuing_subword_prefix", "##");
  const longest = fields.count("max_input_chars_per_word", 100);
  const pieces = (word: string): number[] | undefined => {
    const characters = word.length > 2 * longest ? undefined : Array.from(word);
    if (characters === undefined || characters.length > longest) return undefined;
    const found: number[] = [];
    for (let start = 0; start < characters.length; ) {
      let end = characters.length;
      let id: number | undefined;
      for (; end > start; end--) {
        id = vocabulary.get((start > 0 ? prefix : "") + characters.slice(start, end).join(""));
        if (id !== undefined) break;
      }
      if (id === undefined) return undefined;
      found.push(id);
      start = end;
    }
    return found;
  };
  return {
    vocabulary,
    size: vocabulary.size,
    tokenize(text, ids) {
      const found = pieces(text);
      if (found !== undefined) return found.forEach(ids.push);
      if (unknown === undefined) throw noToken(fields.what, text);
      ids.push(unknown);
    },
  };
}
