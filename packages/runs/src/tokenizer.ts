import {
  byteLevelJson,
  byteTokenizer,
  huggingFaceTokenizer,
  type SentinelTokenizer,
  type Tokenizer,
  withSentinels,
} from "@finegrain/generate";
import { FinegrainError } from "@finegrain/graph";
import type { RunConfig } from "./config.ts";
import { exists, runPaths } from "./folder/run-folder.ts";
import { nodeFiles } from "./node.ts";

/**
 * The tokenizer of a name: "byte", or the path of a tokenizer.json.
 * @throws FinegrainError where the file cannot be read or is none.
 */
export async function openTokenizer(name: string): Promise<Tokenizer> {
  if (name === "byte") return byteTokenizer();
  const json = await nodeFiles()
    .readFile(name, "utf8")
    .catch((error: Error) => {
      throw new FinegrainError(`cannot read the tokenizer ${name}: ${error.message}`);
    });
  return huggingFaceTokenizer(json, name);
}

/**
 * The tokenizer of a run: of the first of these folders that has a tokenizer.json, or of the place where it was made from.
 * @throws FinegrainError where a checkpoint was copied without it.
 */
export async function openOwnTokenizer(
  { tokenizer, model }: RunConfig,
  folders: readonly string[],
): Promise<Tokenizer> {
  if (tokenizer === "byte") return tokenizerFor(model, await openTokenizer(tokenizer));
  for (const path of [...folders.map((folder) => runPaths(folder).tokenizer), tokenizer])
    if (await exists(path)) return tokenizerFor(model, await openTokenizer(path));
  throw new FinegrainError(
    `${folders[0]} is without its tokenizer: copy the tokenizer.json of its run into that folder`,
  );
}

/** The tokens of a tokenizer that stand for no text, of one that has them for texts behind a source. */
export const specialOf = (tokenizer: Tokenizer): SentinelTokenizer["special"] | undefined =>
  "special" in tokenizer ? (tokenizer as SentinelTokenizer).special : undefined; // nothing else has a field of that name

/** A tokenizer with the tokens that a model needs besides: sentinels, where its texts follow a source. */
export const tokenizerFor = ({ encoder }: { readonly encoder?: unknown }, tokenizer: Tokenizer): Tokenizer =>
  encoder && !specialOf(tokenizer) ? withSentinels(tokenizer) : tokenizer;

/** @throws FinegrainError where the model has no row for some of the tokens. */
export function expectVocabulary({ name, vocabularySize }: Tokenizer, vocabulary: number): void {
  if (vocabularySize > vocabulary)
    throw new FinegrainError(
      `the tokenizer ${name} has ${vocabularySize} tokens, more than the model's vocabulary of ${vocabulary}`,
    );
}

/** The tokenizer.json of a tokenizer, which other programs read; undefined where it is a program's own, or its tokens have other numbers here. */
export const tokenizerJson = (tokenizer: Tokenizer): string | undefined =>
  specialOf(tokenizer) ? undefined : (tokenizer.json ?? (tokenizer.name === "byte" ? byteLevelJson() : undefined));
