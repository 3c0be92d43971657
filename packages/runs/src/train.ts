import { alone, type Communicator } from "@finegrain/distributed";
import type { Tokenizer } from "@finegrain/generate";
import { type Backend, FinegrainError, type HostTensor } from "@finegrain/graph";
import {
  endingOf,
  type LoraConfig,
  type ModelConfig,
  modelOf,
  type OwnLayers,
  type StudentConfig,
} from "@finegrain/nn";
import type { Corpus } from "@finegrain/train";
import { type Beginning, besideOf, type InTraining, openBeginning } from "./beginning.ts";
import { type Measured, withinSeconds } from "./budget.ts";
import {
  checkRunConfig,
  type ModelOptions,
  modelConfig,
  type RunConfig,
  type TrainingOptions,
  trainingConfig,
  trainingMinutes,
  withSteps,
} from "./config.ts";
import { modelDefaults, type RunSizes, runSizes, sourceDefaults, trainingDefaults } from "./defaults.ts";
import { readJson } from "./folder/checkpoint.ts";
import { checkUnused, folderStore, isBegun, runPaths } from "./folder/run-folder.ts";
import { corpusOf } from "./held-out.ts";
import { trainingOfRanks } from "./ranks.ts";
import { type ContinueOptions, openedRun, openRun, type Run } from "./run.ts";
import { SPEECHES } from "./speeches.ts";
import { trainInStages } from "./stages.ts";
import { memoryStore, type RunStore } from "./store.ts";
import { readText, type Text, textOf } from "./text/text.ts";
import { sourceOf, textOfRun, withText } from "./text/text-of-run.ts";
import { expectVocabulary, openOwnTokenizer, openTokenizer, tokenizerFor } from "./tokenizer.ts";
import type { TrainingListener } from "./training-loop.ts";

export interface TrainOptions<O extends OwnLayers = Record<never, never>> extends TrainingListener {
  readonly backend: Backend;
  /**
   * What to learn from: the last tenth of its bytes is held out. A string is the text itself. Default: the speeches that
   * come along.
   */
  readonly data?: Text | string;
  /** The run folder to make. Without it the run stays in memory. */
  readonly out?: string;
  /** In place of a folder, where the run is kept by other means: by a page, which has none. */
  readonly store?: RunStore;
  /**
   * Default: a sparse model, of a size that learns most in the time, or of 4 layers where there are steps. A function is told
   * the sizes that what it leaves out will have.
   */
  readonly model?: ModelOptions<O> | ((sizes: RunSizes) => ModelOptions<O>);
  /**
   * A run, a checkpoint, or a model that others trained, as `openRun` takes it, whose weights the new run begins with. Its model and its tokenizer are
   * the new run's, so that there is neither `model` nor `tokenizer` beside it. The rate is 1e-4 where nothing else is said.
   */
  readonly init?: string;
  /**
   * With `init`: train narrow matrices beside those of the blocks, and leave the model's own weights as they are. The run writes and is given
   * back as the sum of both. The rate is 1e-3 where nothing else is said.
   */
  readonly lora?: LoraConfig | undefined;
  /**
   * With `init`: feed-forward layers that learn to do what the model's own do, all at once and each by itself, and leave its other weights as they are. The
   * run writes with them in the others' place; a run that it is the `init` of trains them all. The rate is 2e-3 where nothing else is said.
   */
  readonly student?: StudentConfig | undefined;
  /** With `init`: dropout and the like, over what its model has. Else they are of `model`. */
  readonly inTraining?: InTraining | undefined;
  /** Layers that do not come with finegrain, made by `defineFeedForward` and its like: `model` may choose them by their names. */
  readonly layers?: O;
  /** "byte", the path of a tokenizer.json, or a tokenizer. Default "byte". */
  readonly tokenizer?: string | Tokenizer;
  readonly training?: TrainingOptions;
  /** Told what a training in so many minutes comes to, once it was measured. */
  readonly onMeasured?: ((measured: Measured) => void) | undefined;
  /**
   * Go on with this run folder from its last checkpoint; its own config holds, so that there is no `out` or `model` beside it, and of
   * `training` no more than the `steps` of the whole run.
   */
  readonly resume?: string;
  /** With `resume`: go on with a text that is not the one that it learned from so far. Default false: that is refused. */
  readonly newData?: boolean | undefined;
  /** An abort ends the training after the step at hand, with a checkpoint. */
  readonly signal?: AbortSignal | undefined;
  /**
   * The processes that train together, each of which makes this call with the same options and sees the same files: the text and the run's
   * folder, which rank 0 writes. Listeners are told on every rank, and on rank 0 alone how a text becomes tokens. Default: this one alone.
   */
  readonly communicator?: Communicator | undefined;
  /** Whether these share the experts of expert layers out: see `createTrainer`. What is learned is the same. Default false. */
  readonly expertParallel?: boolean | undefined;
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
  const {
    store = out === undefined ? memoryStore() : folderStore(out),
    model: wanted,
    layers = {},
    tokenizer: named,
    training: given,
    init,
    lora,
    student,
    inTraining,
    onMeasured,
    newData: _,
    ...listener
  } = options;
  const { communicator = alone(), expertParallel } = listener;
  if (init !== undefined && (wanted !== undefined || named !== undefined))
    throw new FinegrainError(
      `${wanted !== undefined ? "model" : "tokenizer"} cannot be given with init: the new run has that of ${init}`,
    );
  if (inTraining !== undefined && init === undefined)
    throw new FinegrainError("inTraining needs init: a new model says of itself what its training has");
  const beside = besideOf({ lora, student });
  const [extra] = Object.keys(beside);
  if (extra !== undefined && init === undefined)
    throw new FinegrainError(
      `${extra} needs init: it is trained beside the weights of a model that was trained before`,
    );
  const beginning = init === undefined ? undefined : await openBeginning(init, { backend, layers, beside, inTraining });
  const ofText = typeof named === "object" ? named : await openTokenizer(named ?? "byte");
  const tokenizer = beginning?.tokenizer ?? tokenizerFor(optionsOf(wanted) ?? {}, ofText);
  const minutes = trainingMinutes(given);
  const parts = (sizes: RunSizes | undefined, steps?: number) =>
    partsOf({
      wanted,
      given,
      layers,
      tokenizer,
      beginning,
      sizes,
      ranks: communicator.size,
      ...(steps !== undefined && { steps }),
    });
  const usual = beginning ? [beginning.sizes] : runSizes;
  // What can be wrong is refused here, before the text is read, and the folder again when it is made.
  const first = parts(minutes === undefined ? undefined : usual[0]);
  modelOf(first.model, layers);
  expectVocabulary(tokenizer, first.model.vocabulary);
  if (out !== undefined && communicator.rank === 0) await checkUnused(out);
  const text = data === undefined ? await readText(SPEECHES) : textOf(data);
  const source = sourceOf(text);
  const { signal, onText: onProgress } = listener;
  const corpus = await corpusOf(text, tokenizer, { signal, onProgress, beside: out, communicator });
  const candidate = (sizes: RunSizes) => ({
    model: modelOf(parts(sizes).model, layers),
    config: (steps: number) => ({ ...parts(sizes, steps), ...source }),
  });
  const measured =
    minutes === undefined
      ? undefined
      : await withinSeconds({
          backend,
          corpus,
          seconds: 60 * minutes,
          sizes: usual,
          candidate,
          signal,
          communicator,
          expertParallel,
        });
  if (measured) onMeasured?.(measured);
  const config = measured?.config ?? { ...first, ...source };
  const begin = (whole: RunConfig) => store.begin(whole, tokenizer);
  const weights = await beginning?.weights(config.training.seed);
  return trainFromStart({ listener, backend, config, tokenizer, layers, store, text, corpus, weights, begin });
}

interface FirstTraining {
  readonly listener: TrainingListener & Pick<ContinueOptions, "signal" | "communicator" | "expertParallel">;
  readonly backend: Backend;
  readonly config: RunConfig;
  readonly tokenizer: Tokenizer;
  readonly layers: OwnLayers;
  readonly store: RunStore;
  readonly text: Text;
  readonly corpus: Corpus;
  /** To begin with; drawn where there are none. */
  readonly weights: ReadonlyMap<string, HostTensor> | undefined;
  /** Makes the run's place, where it is not there. */
  begin?(config: RunConfig): Promise<void>;
}

async function trainFromStart({ listener, text, begin, ...parts }: FirstTraining): Promise<Run> {
  const config =
    parts.store.folder === undefined ? parts.config : await withText(parts.config, text, listener.communicator);
  const input = { ...listener, ...parts, config, ...(begin && { begin: () => begin(config) }) };
  return openedRun({ ...parts, ...(await trainInStages(input)) });
}

/** What a model is to be. Whether it has an encoder does not depend on the sizes. */
const optionsOf = (wanted: TrainOptions<OwnLayers>["model"], sizes: RunSizes = USUAL): ModelOptions | undefined =>
  (typeof wanted === "function" ? wanted(sizes) : wanted) as ModelOptions | undefined; // own layers are known by their names

const USUAL: RunSizes = { ...modelDefaults, ...trainingDefaults };

interface Asked {
  readonly wanted: TrainOptions<OwnLayers>["model"];
  readonly given: TrainingOptions | undefined;
  readonly layers: OwnLayers;
  readonly tokenizer: Tokenizer;
  readonly beginning: Beginning | undefined;
  /** Of what is left out; undefined: the usual ones. */
  readonly sizes: RunSizes | undefined;
  readonly steps?: number;
  readonly ranks: number;
}

/** A new run's config, without its text. */
function partsOf(asked: Asked): RunConfig {
  const { wanted, given, layers, tokenizer, beginning, sizes = beginning?.sizes, steps, ranks } = asked;
  const ofSizes = sizes && { batch: sizes.batch, length: sizes.length, learningRate: sizes.learningRate };
  const ofSource = sizes === undefined && optionsOf(wanted)?.encoder && { length: sourceDefaults.length };
  const training = trainingOfRanks(
    trainingConfig({ ...ofSizes, ...ofSource, ...given, ...(steps && { steps }) }),
    ranks,
  );
  const usual = sizes ?? USUAL;
  const options = optionsOf(wanted, { ...usual, batch: training.batch });
  const model =
    beginning?.model ??
    modelConfig(options as Partial<ModelConfig>, {
      vocabulary: tokenizer.vocabularySize,
      length: training.length,
      sizes: usual,
    });
  if (!beginning && (model.lora || model.student))
    throw new FinegrainError("a model's lora and student need init: they are trained beside the weights of another");
  if (training.length > model.maxLength)
    throw new FinegrainError(
      `windows of ${training.length} tokens are longer than the ${model.maxLength} that the model takes`,
    );
  const own = endingOf(model, layers) ? { transition: trainingDefaults.transition, ...training } : training;
  return checkRunConfig({ model, tokenizer: tokenizer.name, training: own, ...beginning?.config }, "the config");
}

/** What a run that goes on has of its own. */
const OWN = ["out", "store", "model", "init", "lora", "student", "inTraining"] as const;

async function trainOn(path: string, options: Omit<TrainOptions<OwnLayers>, "resume">): Promise<Run> {
  const {
    backend,
    tokenizer,
    layers = {},
    data,
    newData,
    out: _out,
    store: _store,
    model: _model,
    init: _init,
    lora: _lora,
    student: _student,
    inTraining: _inTraining,
    training,
    ...rest
  } = options;
  const { steps, ...others } = training ?? {};
  const extra =
    typeof tokenizer === "string"
      ? "tokenizer"
      : (OWN.find((name) => options[name] !== undefined) ?? Object.keys(others).map((name) => `training.${name}`)[0]);
  if (extra !== undefined || typeof tokenizer === "string")
    throw new FinegrainError(`${extra} cannot be given with resume: the run's own config holds`);
  if (await isBegun(path)) return beginAgain(path, { ...rest, backend, layers, data, newData, steps, tokenizer });
  const run = await openRun(path, { backend, layers, ...(tokenizer && { tokenizer }) });
  await run.train({ ...rest, newData, ...(steps !== undefined && { steps }), ...(data !== undefined && { data }) });
  return run;
}

interface Again
  extends TrainingListener,
    Pick<ContinueOptions, "signal" | "newData" | "communicator" | "expertParallel"> {
  readonly backend: Backend;
  readonly layers: OwnLayers;
  readonly data: Text | string | undefined;
  readonly steps: number | undefined;
  readonly tokenizer: Tokenizer | undefined;
}

/** A run that was stopped before its first checkpoint: its config says all that it was to be. */
async function beginAgain(path: string, { backend, layers, data, newData, steps, ...options }: Again): Promise<Run> {
  const { tokenizer: given, ...listener } = options;
  const file = runPaths(path).config;
  const saved = checkRunConfig(await readJson(file), file);
  const config = { ...saved, training: withSteps(saved.training, steps, 0) };
  const tokenizer = given ? tokenizerFor(config.model, given) : await openOwnTokenizer(config, [path]);
  expectVocabulary(tokenizer, config.model.vocabulary);
  const { signal, onText: onProgress, communicator } = listener;
  const text = await textOfRun(config, { data, newData, communicator });
  const corpus = await corpusOf(text, tokenizer, { signal, onProgress, beside: path, communicator });
  const { init, model, training } = config;
  const beside = besideOf(model);
  const beginning = init === undefined ? undefined : await openBeginning(init, { backend, layers, beside });
  const weights = await beginning?.weights(training.seed);
  return trainFromStart({
    listener,
    backend,
    config,
    tokenizer,
    layers,
    store: folderStore(path),
    text,
    corpus,
    weights,
  });
}
