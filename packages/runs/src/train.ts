import type { Tokenizer } from "@finegrain/generate";
import { type Backend, FinegrainError } from "@finegrain/graph";
import { type ModelConfig, type OwnLayers, scalingLM } from "@finegrain/nn";
import { type Measured, withinSeconds } from "./budget.ts";
import {
  checkRunConfig,
  type ModelOptions,
  modelConfig,
  type RunConfig,
  type TrainingOptions,
  trainingConfig,
  trainingMinutes,
} from "./config.ts";
import { modelDefaults, type RunSizes, runSizes, trainingDefaults } from "./defaults.ts";
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
  /**
   * Default: a sparse model, of a size that learns most in the time, or of 4 layers where there are steps. A function is told
   * the sizes that what it leaves out will have.
   */
  readonly model?: ModelOptions<O> | ((sizes: RunSizes) => ModelOptions<O>);
  /** Layers that do not come with finegrain, made by `defineFeedForward` and its like: `model` may choose them by their names. */
  readonly layers?: O;
  /** "byte", the path of a tokenizer.json, or a tokenizer. Default "byte". */
  readonly tokenizer?: string | Tokenizer;
  readonly training?: TrainingOptions;
  /** Told what a training in so many minutes comes to, once it was measured. */
  readonly onMeasured?: ((measured: Measured) => void) | undefined;
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
  const { model: wanted, layers = {}, tokenizer: named = "byte", training: given, onMeasured, ...rest } = options;
  const tokenizer = typeof named === "string" ? await openTokenizer(named) : named;
  const minutes = trainingMinutes(given);
  const parts = (sizes: RunSizes | undefined, steps?: number) =>
    partsOf({ wanted, given, tokenizer, sizes, ...(steps !== undefined && { steps }) });
  // What can be wrong is refused here, before the text is read, and the folder again when it is made.
  const first = parts(minutes === undefined ? undefined : runSizes[0]);
  scalingLM(first.model, layers);
  expectVocabulary(tokenizer, first.model.vocabulary);
  if (out !== undefined) await checkUnused(out);
  const text = data === undefined ? await readText(SPEECHES) : textOf(data);
  const source = text.source !== undefined && { data: text.source };
  const corpus = corpusOf(text, tokenizer);
  const candidate = (sizes: RunSizes) => ({
    model: scalingLM(parts(sizes).model, layers),
    config: (steps: number) => ({ ...parts(sizes, steps), ...source }),
  });
  const measured =
    minutes === undefined
      ? undefined
      : await withinSeconds({ backend, corpus, seconds: 60 * minutes, candidate, signal: rest.signal });
  if (measured) onMeasured?.(measured);
  const config = measured?.config ?? { ...first, ...source };
  const model = scalingLM(config.model, layers);
  const store = out === undefined ? memoryStore() : folderStore(out);
  const begin = () => store.begin(config, tokenizer);
  const { outcome, checkpoint } = await runTraining({ ...rest, backend, config, model, corpus, store, begin });
  return openedRun({ backend, config, checkpoint, tokenizer, layers, store, corpus, outcome });
}

interface Asked {
  readonly wanted: TrainOptions<OwnLayers>["model"];
  readonly given: TrainingOptions | undefined;
  readonly tokenizer: Tokenizer;
  /** Of what is left out; undefined: the usual ones. */
  readonly sizes: RunSizes | undefined;
  readonly steps?: number;
}

/** A new run's config, without its text. */
function partsOf({ wanted, given, tokenizer, sizes, steps }: Asked): RunConfig {
  const ofSizes = sizes && { batch: sizes.batch, length: sizes.length, learningRate: sizes.learningRate };
  const training = trainingConfig({ ...ofSizes, ...given, ...(steps && { steps }) });
  const usual = sizes ?? { ...modelDefaults, ...trainingDefaults };
  const own = typeof wanted === "function" ? wanted({ ...usual, batch: training.batch }) : wanted;
  const model = modelConfig(own as Partial<ModelConfig>, {
    vocabulary: tokenizer.vocabularySize,
    length: training.length,
    sizes: usual,
  });
  return checkRunConfig({ model, tokenizer: tokenizer.name, training }, "the config");
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
