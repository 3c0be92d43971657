import { alone, type Communicator, firstRankFirst } from "@finegrain/distributed";
import { slideOf, type Tokenizer } from "@finegrain/generate";
import { type Backend, FinegrainError } from "@finegrain/graph";
import { type LanguageModel, loadWeights, type ModelWeights, type Storage } from "@finegrain/nn";
import {
  type Corpus,
  type CorpusOptions,
  createEvaluator,
  examplesOf,
  type TextProgress,
  tokenizeCorpus,
  tokenizePairs,
} from "@finegrain/train";
import { evaluationDefaults } from "./defaults.ts";
import { nodeCrypto, nodePath } from "./node.ts";
import { corpusOfRanks } from "./ranks.ts";
import { fingerprintOf, shareFingerprint } from "./text/fingerprint.ts";
import { countLoss } from "./text/loss.ts";
import type { Text } from "./text/text.ts";
import { corpusInFiles } from "./text/token-files.ts";
import { specialOf } from "./tokenizer.ts";

/** The share of a text that may be lost in tokens: a rare character that a vocabulary does not have. */
const MOST_LOST = 0.01;

export interface CorpusOfOptions extends Pick<CorpusOptions, "signal" | "onProgress"> {
  /** Whether all of it is held out, and not only the last tenth of its bytes. Default false. */
  readonly all?: boolean;
  /** Whose ranks all need it: rank 0 makes it, for all. Default: this process alone. */
  readonly communicator?: Communicator | undefined;
  /** The run that it is for: the tokens of a text that is not in memory go into a folder beside it. Default: memory. */
  readonly beside?: string | undefined;
}

/**
 * A text as tokens, its documents kept apart by the tokenizer's token for that or by a blank line. An abort is heard where they go into files: what
 * is in memory does not take long.
 * @throws FinegrainError where more than a hundredth of the text does not come back from the tokens.
 */
export async function corpusOf(
  text: Text,
  tokenizer: Tokenizer,
  { all = false, beside, signal, onProgress, communicator = alone() }: CorpusOfOptions = {},
): Promise<Corpus> {
  const { documents, source = "given" } = text;
  const loss = countLoss(tokenizer);
  const { endOfText } = tokenizer;
  const options = {
    onProgress,
    ...(all && { heldOutFraction: 1 }),
    ...(endOfText !== undefined && { separator: { token: endOfText } }),
  };
  const special = specialOf(tokenizer);
  const tokenize = async (sink?: CorpusOptions["sink"]): Promise<Corpus> => {
    if (text.sourceField === undefined) {
      const corpus = await tokenizeCorpus(documents, loss.encoding, { ...options, ...(sink && { sink, signal }) });
      return { ...corpus, ...(special && { special }) };
    }
    if (!special) throw new FinegrainError(`${source} is of pairs: they are for a model with an encoder`);
    return tokenizePairs(documents, loss.encoding, special, options);
  };
  const make = async (sink?: CorpusOptions["sink"]): Promise<Corpus> => {
    const corpus = await tokenize(sink);
    const share = loss.share();
    if (share > MOST_LOST)
      throw new FinegrainError(
        `the tokenizer ${tokenizer.name} loses ${(100 * share).toPrecision(3)} % of the text ${source}, which would make bits per byte look better than they are: use one that has its characters`,
      );
    return corpus;
  };
  if (beside === undefined || Symbol.iterator in documents || text.sourceField !== undefined)
    return corpusOfRanks(communicator, make);
  await shareFingerprint(communicator, text);
  const { sha256 } = await fingerprintOf(text);
  const what = JSON.stringify([sha256, tokenizer.json ?? tokenizer.name, tokenizer.vocabularySize, all]);
  const name = nodeCrypto().createHash("sha256").update(what).digest("hex").slice(0, 16);
  const folder = nodePath().join(`${nodePath().resolve(beside)}.tokens`, name);
  return firstRankFirst(communicator, () => corpusInFiles(folder, tokenizer.vocabularySize, make));
}

/**
 * Bits per byte of UTF-8: the cross-entropy a target, in bits, spread over the bytes of its token.
 *
 * @param nats summed over `tokens` targets of the held-out text, all of it or a part.
 * @param targetsPerByte see `Examples`.
 */
export const bitsPerByte = (
  { nats, tokens }: { readonly nats: number; readonly tokens: number },
  targetsPerByte: number,
): number => ((nats / tokens) * targetsPerByte) / Math.LN2;

/** At most `most` of the items, evenly spaced, the first among them. */
export function evenly<T>(items: { readonly length: number; at(index: number): T }, most: number): T[] {
  const stride = Math.max(1, items.length / most);
  return Array.from({ length: Math.min(items.length, most) }, (_, i) => items.at(Math.floor(i * stride)));
}

export interface EvaluateOptions {
  /** Windows at a time. Default 8. */
  readonly batch?: number;
  /** What large weights are kept in. Default "float32". */
  readonly storage?: Storage;
  /**
   * Tokens of a window that slides by half of them, as when a longer text is written with this `context`. Default: windows of the length
   * of training, side by side.
   */
  readonly context?: number | undefined;
  /** Routed feed-forwards: every token by itself, as when the model writes. Default false. */
  readonly asDecoded?: boolean;
  /** The most batches of windows that are looked at, evenly spaced. Default: all. */
  readonly batches?: number;
  /** An abort ends the evaluation with the signal's reason as its error. */
  readonly signal?: AbortSignal;
  onProgress?(progress: EvaluationProgress): void;
  /** Told while a text becomes tokens, which comes first. */
  readonly onText?: ((progress: TextProgress) => void) | undefined;
}

export interface EvaluationProgress {
  /** Batches done, and in all. */
  readonly done: number;
  readonly batches: number;
  readonly tokens: number;
  readonly bitsPerByte: number;
}

/** How well a model predicts a text. */
export interface Evaluation {
  readonly bitsPerByte: number;
  readonly natsPerToken: number;
  readonly bitsPerToken: number;
  /** Targets that it was asked for. */
  readonly tokens: number;
  /** UTF-8 bytes of the text. */
  readonly bytes: number;
}

export interface EvaluationInput extends Omit<EvaluateOptions, "onText"> {
  readonly backend: Backend;
  readonly model: LanguageModel;
  /** Buffers stay their owner's. */
  readonly weights: ModelWeights;
  readonly corpus: Corpus;
  /** Tokens of a window. */
  readonly length: number;
}

/**
 * Judge a model by a corpus's held-out text.
 * @throws FinegrainError where that has fewer than 2 tokens, or the backend cannot keep weights as is asked.
 */
export async function evaluateHeldOut({
  backend,
  model,
  weights,
  corpus,
  length,
  batch = evaluationDefaults.batch,
  storage = "float32",
  context,
  asDecoded = false,
  batches = Number.POSITIVE_INFINITY,
  signal,
  onProgress,
}: EvaluationInput): Promise<Evaluation> {
  const size = context === undefined ? { length } : { length: context, overlap: context - slideOf(context) };
  if (model.source && context !== undefined)
    throw new FinegrainError("a text that follows a source has no window that slides: leave the context away");
  const examples = examplesOf(corpus, model);
  const windows = evenly(examples.heldOut({ batch, ...size }), batches);
  const targetsPerByte = examples.targetsPerByte({ batch, ...size });
  const uploaded = await loadWeights(backend, model, weights, storage);
  try {
    await using evaluator = createEvaluator({ backend, model, storage, asDecoded });
    const sum = { nats: 0, tokens: 0 };
    let done = 0;
    for (const window of windows) {
      signal?.throwIfAborted();
      const { nats, tokens } = await evaluator.evaluate(uploaded, [window], signal);
      sum.nats += nats;
      sum.tokens += tokens;
      const soFar = { tokens: sum.tokens, bitsPerByte: bitsPerByte(sum, targetsPerByte) };
      onProgress?.({ done: ++done, batches: windows.length, ...soFar });
    }
    const { nats, tokens } = sum;
    const natsPerToken = nats / tokens;
    const bitsPerToken = natsPerToken / Math.LN2;
    return {
      bitsPerByte: bitsPerByte(sum, targetsPerByte),
      natsPerToken,
      bitsPerToken,
      tokens,
      bytes: corpus.heldOutBytes,
    };
  } finally {
    for (const [path, buffer] of uploaded) if (weights.get(path) !== buffer) buffer[Symbol.dispose]();
  }
}
