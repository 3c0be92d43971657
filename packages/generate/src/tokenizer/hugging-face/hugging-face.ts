import { atOnce, FinegrainError, jsonObject, parseJson, type Turns } from "@finegrain/graph";
import { checkToken, type Tokenizer } from "../tokenizer.ts";
import { type AddedTokens, addedTokens, endOfText } from "./added-tokens.ts";
import { decodeStream } from "./decode-stream.ts";
import { type Decoder, makeDecoder } from "./decoders.ts";
import { type Makers, makePart } from "./fields.ts";
import { newIds } from "./ids.ts";
import { largestId, type Model } from "./model.ts";
import { makeModel } from "./models.ts";
import { makeNormalizer, type Normalizer, partOf, type Stretch } from "./normalizers.ts";
import { onigurumaCompiler } from "./oniguruma.ts";
import { type CompilePattern, characterLength } from "./pattern.ts";
import { makePreTokenizer, type PreTokenizer } from "./pre-tokenizers.ts";

/**
 * A tokenizer from the content of a Hugging Face `tokenizer.json`, with the ids and texts of the original library.
 * Special tokens are neither added when encoding nor left out when decoding, no spaces are tidied unless the decoder
 * says so, and the file's truncation and padding do not apply, so that text comes back as it was where the tokenizer
 * allows. A text of any length is encoded in pieces, in memory that does not grow with the merges under way.
 *
 * Where the file has regular expressions, they are translated by oniguruma-to-es, which is loaded then. Characters are
 * classified by the Unicode tables of the machine that runs this; those of the original are older.
 *
 * @param json the text of the file.
 * @param name what to call the tokenizer, e.g. the file's path.
 * @throws FinegrainError where the text is no JSON, describes no tokenizer, or one with a part that is not supported.
 */
export async function huggingFaceTokenizer(json: string, name: string): Promise<Tokenizer> {
  const file = jsonObject(parseJson(json, `the tokenizer ${name}`), `the tokenizer ${name}`);
  if (file.model == null) throw new FinegrainError(`${name} is not a tokenizer.json: it has no "model"`);
  const part = (kind: string) => `the tokenizer ${name}: its ${kind}`;
  const compile = json.includes("Regex") ? await onigurumaCompiler() : literalsOnly;
  const model = makeModel(file.model, part("model"));
  const normalize: Normalizer =
    file.normalizer == null ? (stretch) => stretch : makeNormalizer(file.normalizer, part("normalizer"), compile);
  const preTokenize: PreTokenizer =
    file.pre_tokenizer == null
      ? (stretch) => [stretch]
      : makePreTokenizer(file.pre_tokenizer, part("pre_tokenizer"), compile);
  const decode = file.decoder == null ? joinedWords : makeDecoder(file.decoder, part("decoder"), compile);
  if (file.post_processor != null) makePart(file.post_processor, part("post_processor"), POST_PROCESSORS);
  const listed = file.added_tokens ?? [];
  if (!Array.isArray(listed)) throw new FinegrainError(`${part("added_tokens")} must be a list`);
  const added = addedTokens(listed, part("added token"), model, normalize);
  const end = endOfText(added);
  return {
    ...tokenizerOf({ name, model, normalize, preTokenize, decode, added }),
    json,
    ...(end !== undefined && { endOfText: end }),
  };
}

interface Parts {
  readonly name: string;
  readonly model: Model;
  readonly normalize: Normalizer;
  readonly preTokenize: PreTokenizer;
  readonly decode: Decoder;
  readonly added: AddedTokens;
}

function tokenizerOf({ name, model, normalize, preTokenize, decode, added }: Parts): Tokenizer {
  const largest = [...added.byId.keys()].reduce((most, id) => Math.max(most, id), largestId(model.vocabulary));
  const size = { name, vocabularySize: largest + 1 };
  const tokens: (string | undefined)[] = [];
  for (const [token, id] of model.vocabulary) tokens[id] = token;
  for (const [id, { form }] of added.byId) tokens[id] = form;
  /** Ids without a token, which a vocabulary may have, have no text. */
  const textOf = (ids: readonly number[]): string => {
    const known = ids.map((id) => tokens[id]).filter((token) => token !== undefined);
    return known.length === 0 ? "" : decode(known).join("");
  };
  function* encoding(text: string): Turns<Int32Array> {
    const ids = newIds();
    for (const stretch of stretches(text)) {
      if (typeof stretch === "number") {
        ids.push(stretch);
        continue;
      }
      for (const piece of preTokenize(stretch)) {
        const turns = piece.text === "" ? undefined : model.tokenize(piece.text, ids);
        if (turns) yield* turns;
        yield;
      }
    }
    return ids.take();
  }
  /** The normalized text between added tokens, and the ids of those. */
  function* stretches(text: string): Iterable<number | Stretch> {
    const whole = text.replace(/\p{Surrogate}/gu, "\uFFFD"); // what is half a character is none
    for (const part of added.cut(whole)) {
      if (typeof part === "number") {
        yield part;
        continue;
      }
      const leading = part.start === 0 ? characterLength(whole, 0) : 0;
      const normalized = normalize({ text: whole.slice(part.start, part.end), leading });
      for (const own of added.cutNormalized(normalized.text))
        if (typeof own === "number") yield own;
        else if (own.start < own.end) yield partOf(normalized, own);
    }
  }
  return {
    ...size,
    encode: (text) => atOnce(encoding(text)),
    encoding,
    decode(ids) {
      const list = Array.from(ids);
      for (const id of list) checkToken(id, size);
      return textOf(list);
    },
    stream() {
      const { push, flush } = decodeStream(textOf);
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

/** Without a decoder, tokens are words. */
const joinedWords: Decoder = (tokens) => [tokens.join(" ")];

/** They add special tokens and trim offsets, neither of which is asked for here: only their names are checked. */
const POST_PROCESSORS: Makers<void> = {
  BertProcessing: () => {},
  ByteLevel: () => {},
  RobertaProcessing: () => {},
  Sequence: (fields, make) => fields.list("processors").forEach(make),
  TemplateProcessing: () => {},
};

/** For a file without regular expressions, so that nothing is loaded in vain. */
const literalsOnly: CompilePattern = () => {
  throw new Error("it is written in an unknown way");
};
