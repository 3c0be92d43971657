import { readFile } from "node:fs/promises";
import { byteTokenizer, huggingFaceTokenizer, type Tokenizer } from "@finegrain/generate";
import { FinegrainError } from "@finegrain/graph";
import { type Corpus, tokenizeCorpus } from "@finegrain/train";
import { SPEECHES, speeches } from "./speeches.ts";
import { countLoss } from "./text/loss.ts";
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

/** The share of a corpus that may be lost in tokens: a rare character that a vocabulary does not have. */
const MOST_LOST = 0.01;

/**
 * The texts at a path, or the speeches, as tokens; the last tenth of the bytes held out, or all of them.
 * @throws FinegrainError as `readText`, and where more than a hundredth of the text does not come back from the tokens.
 */
export async function loadCorpus(
  data: string,
  tokenizer: Tokenizer,
  { all = false }: { readonly all?: boolean } = {},
): Promise<Corpus> {
  const documents = data === SPEECHES ? await speeches() : await readText(data);
  const options = all ? { heldOutFraction: 1 } : {};
  const loss = countLoss(tokenizer);
  const corpus = tokenizeCorpus(documents, loss.encode, options);
  const share = loss.share();
  if (share > MOST_LOST)
    throw new FinegrainError(
      `the tokenizer ${tokenizer.name} loses ${(100 * share).toPrecision(3)} % of the text of ${data}, which would make bits per byte look better than they are: use one that has its characters`,
    );
  return corpus;
}
