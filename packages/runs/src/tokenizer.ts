import { byteTokenizer, huggingFaceTokenizer, type Tokenizer } from "@finegrain/generate";
import { FinegrainError } from "@finegrain/graph";
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

/** @throws FinegrainError where the model has no row for some of the tokens. */
export function expectVocabulary({ name, vocabularySize }: Tokenizer, vocabulary: number): void {
  if (vocabularySize > vocabulary)
    throw new FinegrainError(
      `the tokenizer ${name} has ${vocabularySize} tokens, more than the model's vocabulary of ${vocabulary}`,
    );
}
