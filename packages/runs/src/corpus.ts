import { readFile } from "node:fs/promises";
import { byteTokenizer, huggingFaceTokenizer, type Tokenizer } from "@finegrain/generate";
import { FinegrainError } from "@finegrain/graph";
import { type Corpus, tokenizeCorpus } from "@finegrain/train";
import { SPEECHES, speeches } from "./speeches.ts";
import { readText } from "./text/read-text.ts";

/**
 * The tokenizer of a config: "byte", or the path of a tokenizer.json.
 * @throws FinegrainError where the file cannot be read or is none.
 */
export async function openTokenizer(name: string): Promise<Tokenizer> {
  if (name === "byte") return byteTokenizer();
  const json = await readFile(name, "utf8").catch((error: Error) => {
    throw new FinegrainError(`cannot read the tokenizer ${name}: ${error.message}`);
  });
  return huggingFaceTokenizer(json, name);
}

/**
 * The texts at a path, or the speeches, as tokens; the last tenth of the bytes held out, or all of them.
 * @throws FinegrainError as `readText`.
 */
export async function loadCorpus(
  data: string,
  tokenizer: Tokenizer,
  { all = false }: { readonly all?: boolean } = {},
): Promise<Corpus> {
  const documents = data === SPEECHES ? await speeches() : await readText(data);
  const options = all ? { heldOutFraction: 1 } : {};
  return tokenizeCorpus(documents, (text) => tokenizer.encode(text), options);
}
