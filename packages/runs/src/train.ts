import type { Tokenizer } from "@finegrain/generate";
import { type Backend, FinegrainError } from "@finegrain/graph";
import { type ModelConfig, type OwnLayers, scalingLM } from "@finegrain/nn";
import { checkRunConfig, type ModelOptions, modelConfig, type TrainingOptions, trainingConfig } from "./config.ts";
import { checkUnused, folderStore } from "./folder/run-folder.ts";
import { corpusOf } from "./held-out.ts";
import { openedRun, openRun, type Run } from "./run.ts";
import { SPEECHES } from "./speeches.ts";
import { memoryStore } from "./store.ts";
import { readText, type Text, textOf } from "./text/text.ts";
import { expectVocabulary, openTokenizer } from "./tokenizer.ts";
import { runTraining, type TrainingListener } from "./training-loop.ts";

export interface TrainOptions<O extends OwnLayers = Record<never, never>> extends TrainingListener {
  readonly backend: Backend;
  /**
   * What to learn from: the last tenth of its bytes is held out. A string is the text itself. Default: the speeches that
   * come along.
   */
  readonly data?: Text | string;
  /** The run folder to make. Without it the run stays in memory. */
  readonly out?: string;
  /** Default: a sparse model of 4 layers. */
  readonly model?: ModelOptions<O>;
  /** Layers that do not come with finegrain, made by `defineFeedForward` and its like: `model` may choose them by their names. */
  readonly layers?: O;
  /** "byte", the path of a tokenizer.json, or a tokenizer. Default "byte". */
  readonly tokenizer?: string | Tokenizer;
  readonly training?: TrainingOptions;
  /**
   * Go on with this run folder from its last checkpoint; its own config holds, so that there is no `out`, `model` or `training`
   * beside it.
   */
  readonly resume?: string;
  /** An abort ends the training after the step at hand, with a checkpoint. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Train a language model on text.
 *
 * @returns the run, on the same backend. An interrupted one says so in its `outcome`.
 * @throws FinegrainError where an option cannot be, the folder is not empty, the text is too short, or the loss becomes NaN:
 *   the last checkpoint is untouched then.
 */
export async function train<const O extends OwnLayers = Record<never, never>>(options: TrainOptions<O>): Promise<Run> {
  const { resume, ...fresh } = options;
  return resume === undefined ? trainNew(fresh) : trainOn(resume, fresh);
}

async function trainNew({ backend, out, data, ...options }: Omit<TrainOptions<OwnLayers>, "resume">): Promise<Run> {
  const { model: sizes, layers = {}, tokenizer: named = "byte", training: given, ...rest } = options;
  const tokenizer = typeof named === "string" ? await openTokenizer(named) : named;
  const training = trainingConfig(given);
  const parts = {
    model: modelConfig(sizes as Partial<ModelConfig>, {
      vocabulary: tokenizer.vocabularySize,
      length: training.length,
    }),
    tokenizer: tokenizer.name,
    training,
  };
  checkRunConfig(parts, "the config");
  const model = scalingLM(parts.model, layers);
  expectVocabulary(tokenizer, parts.model.vocabulary);
  // Refused here, before the text is read, and again when the folder is made.
  if (out !== undefined) await checkUnused(out);
  const text = data === undefined ? await readText(SPEECHES) : textOf(data);
  const config = { ...parts, ...(text.source !== undefined && { data: text.source }) };
  const corpus = corpusOf(text, tokenizer);
  const store = out === undefined ? memoryStore() : folderStore(out);
  const begin = () => store.begin(config, tokenizer);
  const { outcome, checkpoint } = await runTraining({ ...rest, backend, config, model, corpus, store, begin });
  return openedRun({ backend, config, checkpoint, tokenizer, layers, store, corpus, outcome });
}

/** What a run that goes on has of its own. */
const OWN = ["out", "model", "training"] as const;

async function trainOn(path: string, options: Omit<TrainOptions<OwnLayers>, "resume">): Promise<Run> {
  const { backend, tokenizer, layers = {}, data, out: _out, model: _model, training: _training, ...rest } = options;
  const extra = typeof tokenizer === "string" ? "tokenizer" : OWN.find((name) => options[name] !== undefined);
  if (extra !== undefined || typeof tokenizer === "string")
    throw new FinegrainError(`${extra} cannot be given with resume: the run's own config holds`);
  const run = await openRun(path, { backend, layers, ...(tokenizer && { tokenizer }) });
  await run.train({ ...rest, ...(data !== undefined && { data }) });
  return run;
}
