import type { Communicator } from "@finegrain/distributed";
import {
  type ChatMessage,
  chatPrompt,
  createGenerator,
  encodingOf,
  type Generated,
  type GenerateOptions,
  type Generator,
  type Tokenizer,
} from "@finegrain/generate";
import { type Backend, FinegrainError, type HostTensor, inTurns, Once } from "@finegrain/graph";
import {
  isTrainedBeside,
  type LanguageModel,
  type ModelConfig,
  type ModelWeights,
  matchTensors,
  modelOf,
  type OwnLayers,
  PADDING,
  paramTypes,
  type Storage,
  writtenConfig,
  writtenWeights,
} from "@finegrain/nn";
import type { Corpus } from "@finegrain/train";
import { type RunConfig, readSavedConfig, withSteps } from "./config.ts";
import { generationDefaults } from "./defaults.ts";
import { type Checkpoint, openCheckpoint } from "./folder/checkpoint.ts";
import { CHECKPOINT_FILES } from "./folder/run-files.ts";
import { exists, folderStore, isBegun, runPaths } from "./folder/run-folder.ts";
import { type CorpusOfOptions, corpusOf, type EvaluateOptions, type Evaluation, evaluateHeldOut } from "./held-out.ts";
import { nodePath } from "./node.ts";
import { asCheckpoint, isPretrained, openPretrained } from "./pretrained/pretrained.ts";
import { trainInStages } from "./stages.ts";
import type { RunStore } from "./store.ts";
import { type Text, textOf } from "./text/text.ts";
import { textOfRun, withText } from "./text/text-of-run.ts";
import { expectVocabulary, openOwnTokenizer, specialOf, tokenizerFor } from "./tokenizer.ts";
import { lastBitsPerByte, type Outcome, type TrainingListener } from "./training-loop.ts";

/**
 * What is left out is as `generationDefaults` says; a text ends after `maxTokens`, before a `stop`, at an end token of
 * the model, or with the context. A `context` may
 * be longer than the model was trained with, where its positions have no weights.
 */
export interface RunGenerateOptions extends Partial<Omit<GenerateOptions, "tokenizer" | "source">> {
  /** What the text is to follow, of a model that reads a source; the prompt, which may be empty, is what the text begins with. */
  readonly source?: string;
  /** What large weights are kept in, where the backend can. Default "float32". */
  readonly storage?: Storage;
  /**
   * A run that is faster and has the same tokenizer, open on the same backend: it drafts tokens, and this one checks several in one step. The text is what
   * this one writes by itself.
   */
  readonly draft?: Run | undefined;
}

export interface ContinueOptions extends TrainingListener {
  /** Steps of the whole run, those that are done among them. Default: as many as its config says. */
  readonly steps?: number;
  /** Default: the text that it learned from so far. A string is the text itself. */
  readonly data?: Text | string;
  /** Go on with a text that is not the one that it learned from so far. Default false: that is refused. */
  readonly newData?: boolean | undefined;
  /** An abort ends the training after the step at hand, with a checkpoint. */
  readonly signal?: AbortSignal | undefined;
  /** The processes that train together; the others do the same. Default: this one alone. */
  readonly communicator?: Communicator | undefined;
  /** Whether these share the experts of expert layers out: see `createTrainer`. Default false. */
  readonly expertParallel?: boolean | undefined;
}

/**
 * A model that was trained, on a backend: it writes, is judged, and learns on. What it holds on the backend is freed by
 * {@link Run.close}, or where `await using` ends; the backend stays its owner's.
 */
export interface Run extends AsyncDisposable {
  readonly config: RunConfig;
  /** As it writes: of the weights that {@link Run.weights} gives, with what was trained beside them in them. */
  readonly model: LanguageModel;
  readonly tokenizer: Tokenizer;
  /** Where its files are: the run's folder, or the checkpoint's where that is in none. Undefined in memory. */
  readonly path: string | undefined;
  /** Optimizer steps done. */
  readonly step: number;
  /** On a part of the held-out text, at the last evaluation of its training; undefined where there was none. */
  readonly bitsPerByte: number | undefined;
  /** How the last training in this process ended; undefined where there was none. */
  readonly outcome: Outcome | undefined;
  /**
   * Write on from a prompt, token by token; or answer a conversation, by the chat template of a model that others trained.
   * @throws FinegrainError where the prompt is empty or longer than the context, an option cannot be, the model is a
   *   masked one, has no chat template, or another cannot draft for it.
   */
  generate(
    prompt: string | readonly ChatMessage[],
    options?: RunGenerateOptions,
  ): AsyncGenerator<Generated, void, undefined>;
  /**
   * How well the model predicts a text: another one whole, or without one what was held out of its own. A string is the
   * text itself.
   */
  evaluate(data?: Text | string, options?: EvaluateOptions): Promise<Evaluation>;
  /**
   * Learn on from the last checkpoint, as if it had not stopped.
   * @throws FinegrainError where the checkpoint lacks what that needs, the text is another than before, the steps are done already, or
   *   as `train`.
   */
  train(options?: ContinueOptions): Promise<Outcome>;
  /** The model's weights by path, float32, read from the last checkpoint. */
  weights(): Promise<ReadonlyMap<string, HostTensor>>;
  close(): Promise<void>;
}

export interface OpenRunOptions {
  readonly backend: Backend;
  /** In place of the run's own, where a program made that. */
  readonly tokenizer?: Tokenizer;
  /** Layers that do not come with finegrain, which the run's config chooses by their names. */
  readonly layers?: OwnLayers;
}

/**
 * Open a trained run: a run folder, its folder of checkpoints, or one checkpoint; or a model that others trained, as `openPretrained`
 * does.
 *
 * @throws FinegrainError where there is none, a file is cut short, or config and checkpoint do not fit.
 */
export async function openRun(path: string, { backend, tokenizer, layers = {} }: OpenRunOptions): Promise<Run> {
  if (await isPretrained(path)) {
    const pretrained = await openPretrained(path);
    const own = tokenizer ?? pretrained.tokenizer;
    const { model, specialTokens, chatTemplate } = pretrained;
    const { config } = readSavedConfig({ model, tokenizer: own.name, specialTokens, chatTemplate }, path);
    return openedRun({
      backend,
      config,
      checkpoint: asCheckpoint(pretrained),
      tokenizer: own,
      store: undefined,
      layers,
    });
  }
  const { checkpoints } = runPaths(path);
  if (await isBegun(path))
    throw new FinegrainError(
      `${path} was stopped before its first checkpoint: let it learn first, by finegrain train --resume or train({ resume })`,
    );
  const checkpoint = await openCheckpoint((await exists(checkpoints)) ? checkpoints : path);
  const { dirname, join, resolve } = nodePath();
  const { config, isWhole } = readSavedConfig(checkpoint.config, join(checkpoint.path, CHECKPOINT_FILES.config));
  // A checkpoint is in runs/<name>/checkpoints/<step>.
  const folder = dirname(dirname(resolve(checkpoint.path)));
  const opened = tokenizer
    ? tokenizerFor(config.model, tokenizer)
    : await openOwnTokenizer(config, [checkpoint.path, folder]);
  const store = isWhole ? folderStore(folder) : undefined;
  return openedRun({ backend, config, checkpoint, tokenizer: opened, store, layers });
}

/** What a run is made from. */
export interface RunParts {
  readonly backend: Backend;
  readonly config: RunConfig;
  readonly checkpoint: Checkpoint;
  readonly tokenizer: Tokenizer;
  readonly layers: OwnLayers;
  /** Undefined where there is no run around the checkpoint. */
  readonly store: RunStore | undefined;
  readonly corpus?: Corpus;
  readonly outcome?: Outcome;
}

/** @throws FinegrainError where config, checkpoint and tokenizer do not fit. */
export function openedRun(parts: RunParts): Run {
  const { config, checkpoint, tokenizer, layers } = parts;
  matchTensors(checkpoint.modelTypes, paramTypes(modelOf(config.model, layers).params), checkpoint.path);
  expectVocabulary(tokenizer, config.model.vocabulary);
  return new OpenedRun(parts, writingModel(config.model, layers));
}

/** The model as it writes. */
const writingModel = (config: ModelConfig, layers: OwnLayers): LanguageModel => modelOf(writtenConfig(config), layers);

class OpenedRun implements Run {
  readonly tokenizer: Tokenizer;
  readonly #backend: Backend;
  readonly #store: RunStore | undefined;
  readonly #layers: OwnLayers;
  readonly #generators = new Once<string, Generator>();
  /** Runs that have drafted for this one: its generators are known by their places here. */
  readonly #drafters: Run[] = [];
  #model: LanguageModel;
  #config: RunConfig;
  #checkpoint: Checkpoint;
  #corpus: Corpus | undefined;
  #isTraining = false;
  #outcome: Outcome | undefined;

  constructor(parts: RunParts, model: LanguageModel) {
    const { backend, config, checkpoint, tokenizer, layers, store, corpus, outcome } = parts;
    this.#model = model;
    this.tokenizer = tokenizer;
    this.#backend = backend;
    this.#layers = layers;
    this.#store = store;
    this.#config = config;
    this.#checkpoint = checkpoint;
    this.#corpus = corpus;
    this.#outcome = outcome;
  }

  get model(): LanguageModel {
    return this.#model;
  }

  get config(): RunConfig {
    return this.#config;
  }

  get path(): string | undefined {
    return this.#store ? this.#store.folder : this.#checkpoint.path;
  }

  get step(): number {
    return this.#checkpoint.step;
  }

  get bitsPerByte(): number | undefined {
    return lastBitsPerByte(this.#checkpoint);
  }

  get outcome(): Outcome | undefined {
    return this.#outcome;
  }

  async *generate(
    prompt: string | readonly ChatMessage[],
    { storage = "float32", source: given, draft, ...options }: RunGenerateOptions = {},
  ): AsyncGenerator<Generated, void, undefined> {
    const { tokenizer } = this;
    const generator = await this.#generator(storage, this.#seeing(options.context), draft);
    const special = specialOf(tokenizer);
    const { end: endTokens = special ? [special.end] : [] } = this.#config.specialTokens ?? {};
    const source =
      given === undefined
        ? undefined
        : Int32Array.from([...(await inTurns(encodingOf(tokenizer, given))), ...(special ? [special.end] : [])]);
    const ids = await this.#prompt(prompt);
    const own = { ...generationDefaults, endTokens, ...options, tokenizer };
    yield* generator.generate(special ? Int32Array.from([PADDING, ...ids]) : ids, {
      ...own,
      ...(source && { source }),
    });
  }

  /** The tokens of a prompt. A chat template puts the token that begins a text where it belongs. */
  async #prompt(prompt: string | readonly ChatMessage[]): Promise<Int32Array> {
    const { specialTokens: { begin, end: [end] = [] } = {}, chatTemplate } = this.#config;
    const { tokenizer } = this;
    if (typeof prompt === "string")
      return Int32Array.from([
        ...(begin === undefined ? [] : [begin]),
        ...(await inTurns(encodingOf(tokenizer, prompt))),
      ]);
    if (chatTemplate === undefined)
      throw new FinegrainError(`${this.path} has no chat template: give its model a text to go on from`);
    const text = (token: number | undefined) => (token === undefined ? "" : tokenizer.decode([token]));
    const whole = await chatPrompt(chatTemplate, prompt, { begin: text(begin), end: text(end) });
    return inTurns(encodingOf(tokenizer, whole));
  }

  async evaluate(data?: Text | string, options: EvaluateOptions = {}): Promise<Evaluation> {
    const { onText: onProgress, ...rest } = options;
    const text = { onProgress, signal: options.signal, beside: this.path };
    const corpus = await (data === undefined
      ? this.#ownCorpus(text)
      : corpusOf(textOf(data), this.tokenizer, { ...text, all: true }));
    const { config } = this;
    const model = this.#seeing(options.context);
    const weights = await this.#written();
    const { length } = config.training;
    return evaluateHeldOut({ ...rest, backend: this.#backend, model, weights, corpus, length });
  }

  async train(options: ContinueOptions = {}): Promise<Outcome> {
    const store = this.#store;
    if (store === undefined)
      throw new FinegrainError(
        `${this.#checkpoint.path} is no run's checkpoint: its config does not say how it was trained, so it cannot be trained on`,
      );
    if (this.#isTraining)
      throw new FinegrainError("this run is being trained: it can go on when that training has ended");
    this.#isTraining = true;
    try {
      return await this.#train(store, options);
    } finally {
      this.#isTraining = false;
    }
  }

  async #train(store: RunStore, { steps, data, newData = false, ...rest }: ContinueOptions): Promise<Outcome> {
    const training = withSteps(this.#config.training, steps, this.step);
    const own = data === undefined && !newData;
    const { communicator } = rest;
    const text = own ? undefined : await textOfRun(this.#config, { data, newData, communicator });
    const reading = { onProgress: rest.onText, signal: rest.signal, beside: store.folder, communicator };
    const corpus = await (text === undefined ? this.#ownCorpus(reading) : corpusOf(text, this.tokenizer, reading));
    const named = text !== undefined && newData && store.folder !== undefined;
    const { outcome, checkpoint, config } = await trainInStages({
      ...rest,
      backend: this.#backend,
      config: { ...(named ? await withText(this.#config, text, communicator) : this.#config), training },
      layers: this.#layers,
      corpus,
      tokenizer: this.tokenizer,
      store,
      checkpoint: this.#checkpoint,
    });
    await this.close(); // what writes has the weights of before
    this.#model = writingModel(config.model, this.#layers);
    this.#config = config;
    this.#checkpoint = checkpoint;
    this.#corpus = corpus;
    this.#outcome = outcome;
    return outcome;
  }

  async weights(): Promise<ReadonlyMap<string, HostTensor>> {
    return inTurns(writtenWeights(this.#config.model, await this.#checkpoint.readModel()));
  }

  /** The same where they can be read one by one, unless something was trained beside them. */
  async #written(): Promise<ModelWeights> {
    const { modelTensors } = this.#checkpoint;
    return modelTensors && !isTrainedBeside(this.#config.model) ? modelTensors : this.weights();
  }

  async close(): Promise<void> {
    for (const generator of await this.#generators.clear()) await generator[Symbol.asyncDispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #ownCorpus(options: Omit<CorpusOfOptions, "all">): Promise<Corpus> {
    this.#corpus ??= await corpusOf(await textOfRun(this.#config, options), this.tokenizer, options);
    return this.#corpus;
  }

  /**
   * The model that sees so many tokens at a time.
   * @throws FinegrainError where its weights have places for fewer.
   */
  #seeing(context = 0): LanguageModel {
    const { config, params } = this.model;
    if (context <= config.maxLength) return this.model;
    const model = modelOf({ ...config, maxLength: context }, this.#layers);
    if (JSON.stringify([...paramTypes(model.params)]) !== JSON.stringify([...paramTypes(params)]))
      throw new FinegrainError(
        `a context of ${context} tokens is more than the ${config.maxLength} that this model has learned positions of`,
      );
    return model;
  }

  #generator(storage: Storage, model: LanguageModel, draft: Run | undefined): Promise<Generator> {
    if (draft && !this.#drafters.includes(draft)) this.#drafters.push(draft);
    const drafter = draft ? this.#drafters.indexOf(draft) : "none";
    return this.#generators.get(`${storage} ${model.config.maxLength} ${drafter}`, async () =>
      createGenerator({
        ...{ backend: this.#backend, model, weights: await this.#written(), storage },
        ...(draft && { draft: { model: draft.model, weights: await draft.weights(), storage } }),
      }),
    );
  }
}
