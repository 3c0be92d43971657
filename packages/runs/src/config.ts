import { FinegrainError, type JsonObject, jsonObject, parseJson, shownJson } from "@finegrain/graph";
import { type ConfigWith, type EncoderConfig, hiddenUnits, type ModelConfig, type OwnLayers } from "@finegrain/nn";
import { parseSchedule, type ScheduleConfig } from "@finegrain/train";
import {
  modelDefaults,
  type RunSizes,
  sourceDefaults,
  TRAINING_MINUTES,
  trainingDefaults,
  widthAndHeads,
} from "./defaults.ts";
import { nodeFiles } from "./node.ts";
import { checkFingerprint, type Fingerprint } from "./text/fingerprint.ts";

/** Everything that a run was started with: a run folder's config.json. */
export interface RunConfig {
  readonly model: ModelConfig;
  /** "byte", or what the tokenizer calls itself, such as the path of its tokenizer.json; the run folder has a copy of that. */
  readonly tokenizer: string;
  /** An absolute path, or "speeches": those that come along. Absent where a program gave the text itself. */
  readonly data?: string;
  /** Of the lines of JSONL files there, the field that is their text, where it is another than "text". */
  readonly textField?: string;
  /** Of the lines of JSONL files there, the field with what the text is to follow; absent where they are no pairs. */
  readonly sourceField?: string;
  /** Of the text that it learned from; in a run folder. */
  readonly text?: Fingerprint;
  readonly training: TrainingConfig;
  /** Whose weights it began with: the absolute path of a run, a checkpoint, or a model that others trained. Absent where they were drawn. */
  readonly init?: string;
  /** Of a model that others trained. */
  readonly specialTokens?: SpecialTokens;
  /** Of a model that others trained: what makes a prompt of a conversation, in Jinja's language. */
  readonly chatTemplate?: string;
}

/** Tokens that stand for no text. */
export interface SpecialTokens {
  /** What the model expects before every text. */
  readonly begin?: number;
  /** Any of these ends a text. */
  readonly end?: readonly number[];
}

export interface TrainingConfig {
  /** Optimizer steps of the whole run. */
  readonly steps: number;
  /** Windows of a batch. */
  readonly batch: number;
  /** Tokens of a window. */
  readonly length: number;
  /** Batches of one step. */
  readonly accumulate: number;
  /** Whether the batches of a step are summed one by one in their order, by however many ranks: see `createTrainer`. Default false. */
  readonly deterministic?: boolean;
  readonly optimizer: "adamw" | "adafactor";
  readonly weightDecay: number;
  readonly schedule: ScheduleConfig;
  /** The largest norm of a gradient; 0 leaves it as it is. */
  readonly clipNorm: number;
  /** Decides weights, batches and noise. */
  readonly seed: number;
  /** Steps between evaluations on held-out text. */
  readonly evaluateEvery: number;
  /** Steps between checkpoints. */
  readonly checkpointEvery: number;
  /**
   * The part of the steps, at the end, that trains another model of the same weights, where the model has one: experts of groups
   * as experts that each token chooses, which is what decodes. Default 0.1 for such models.
   */
  readonly transition?: number;
}

/** What is left out is as `trainingDefaults` says; evaluations and checkpoints come every fifth of the steps. */
export interface TrainingOptions extends Partial<Omit<TrainingConfig, "schedule">> {
  /**
   * Minutes that the training takes, in place of `steps`: these, the sizes of the model and of a batch, and the rate are made
   * for them where they are left out, from what the device does in a moment of training. Default 5.
   */
  readonly minutes?: number;
  /** The highest rate of the usual schedule, in place of a `schedule`. */
  readonly learningRate?: number;
  /** A schedule, or what makes it of the steps and of the rate that they would have. */
  readonly schedule?: ScheduleConfig | ((run: { readonly steps: number; readonly rate: number }) => ScheduleConfig);
}

/** What a model's config is completed from. */
interface ModelContext {
  readonly vocabulary: number;
  /** Tokens of a window. */
  readonly length: number;
  /** Default: the usual ones. */
  readonly sizes?: Pick<RunSizes, "layers" | "dModel" | "heads">;
}

/** Sizes that are left out are as `modelDefaults` says; the vocabulary is the tokenizer's and `maxLength` a window's length. */
export type ModelOptions<O extends OwnLayers = Record<never, never>> = Partial<Omit<ConfigWith<O>, "encoder">> & {
  /** Blocks are as many as those of the text, and sources twice as long as targets, where it does not say. */
  readonly encoder?: Partial<EncoderConfig>;
};

/** Evaluations of a run, and checkpoints, where nobody says how often. */
export const EVALUATIONS = 5;

/** The longest windows that a model is judged by, where nobody says what it was trained with: logits of many tokens take much memory. */
const JUDGED_LENGTH = 512;

const SECTIONS = ["model", "tokenizer", "data", "textField", "sourceField", "text", "training"] as const;
/** The least value of every number of `training`; what is not here is checked by its own rule. */
const LEAST: Readonly<Record<string, { readonly least: number; readonly whole: boolean }>> = {
  steps: { least: 1, whole: true },
  batch: { least: 1, whole: true },
  length: { least: 1, whole: true },
  accumulate: { least: 1, whole: true },
  weightDecay: { least: 0, whole: false },
  clipNorm: { least: 0, whole: false },
  seed: { least: 0, whole: true },
  evaluateEvery: { least: 1, whole: true },
  checkpointEvery: { least: 1, whole: true },
};
const TRAINING = [...Object.keys(LEAST), "deterministic", "optimizer", "schedule", "transition"];

/** Parts of a config, as a file may give them. */
export interface PartialConfig {
  readonly model?: ModelOptions;
  readonly tokenizer?: string;
  readonly data?: string;
  readonly textField?: string;
  readonly sourceField?: string;
  readonly training?: Partial<TrainingConfig>;
}

/** Updates at the highest rate: with a rate of 0.01, the schedule of T5 and of Terraformer. */
const T5_CONSTANT = 10_000;

/**
 * The usual schedule: warm-up over a tenth of the steps, then, of a cosine, down to a tenth of the rate.
 */
export function usualSchedule({
  steps,
  kind = trainingDefaults.schedule,
  rate = trainingDefaults.learningRate,
  warmup = Math.min(steps - 1, Math.ceil(steps / 10)),
}: {
  readonly steps: number;
  readonly kind?: ScheduleConfig["kind"] | undefined;
  readonly rate?: number | undefined;
  readonly warmup?: number | undefined;
}): ScheduleConfig {
  if (kind === "constant") return { kind, rate };
  if (kind === "t5") return { kind, rate, constant: T5_CONSTANT };
  if (kind === "inverse-square-root") return { kind, rate, warmup: Math.max(1, warmup) };
  return { kind, rate, warmup, steps, floor: rate / 10 };
}

/**
 * Options of training with the defaults for what they leave out.
 * @throws FinegrainError where an option is not known, or there are both a schedule and a learning rate.
 */
export function trainingConfig(options: TrainingOptions = {}): TrainingConfig {
  known(options, [...TRAINING, "learningRate", "minutes"], "training");
  const { steps = trainingDefaults.steps, optimizer = trainingDefaults.optimizer, schedule = usualSchedule } = options;
  const { learningRate: rate = trainingDefaults.learningRate } = options;
  if (typeof schedule !== "function" && options.learningRate !== undefined)
    throw new FinegrainError("training has both a schedule and a learningRate: the schedule says the rate");
  const part = Math.max(1, Math.round(steps / EVALUATIONS));
  return {
    steps,
    batch: options.batch ?? trainingDefaults.batch,
    length: options.length ?? trainingDefaults.length,
    accumulate: options.accumulate ?? trainingDefaults.accumulate,
    optimizer,
    weightDecay: options.weightDecay ?? (optimizer === "adamw" ? trainingDefaults.weightDecay : 0),
    schedule: typeof schedule === "function" ? schedule({ steps, rate }) : schedule,
    clipNorm: options.clipNorm ?? trainingDefaults.clipNorm,
    seed: options.seed ?? trainingDefaults.seed,
    evaluateEvery: options.evaluateEvery ?? part,
    checkpointEvery: options.checkpointEvery ?? part,
    ...(options.transition !== undefined && { transition: options.transition }),
    ...(options.deterministic && { deterministic: true }),
  };
}

/**
 * Training that goes on to `steps` in all, where those are given. Its schedule stays what it was: behind its end, the rate stays there.
 *
 * @param done steps that are done.
 * @throws FinegrainError where there are none left to do.
 */
export function withSteps(training: TrainingConfig, steps: number | undefined, done: number): TrainingConfig {
  if (steps === undefined) return training;
  if (!Number.isSafeInteger(steps) || steps <= done)
    throw new FinegrainError(`steps must be a whole number of more than the ${done} that are done, not ${steps}`);
  return { ...training, steps };
}

/**
 * The minutes that a training is to take; undefined where its steps are said, by themselves or in a schedule.
 * @throws FinegrainError where there are both, or the minutes are not a number above 0.
 */
export function trainingMinutes({ minutes, steps, schedule }: TrainingOptions = {}): number | undefined {
  const isCounted = steps !== undefined || typeof schedule === "object";
  if (minutes === undefined) return isCounted ? undefined : TRAINING_MINUTES;
  if (isCounted)
    throw new FinegrainError("training has both minutes and steps, or a schedule of steps: one says when it ends");
  if (!(Number.isFinite(minutes) && minutes > 0))
    throw new FinegrainError(`training.minutes must be a number above 0, not ${shownJson(minutes)}`);
  return minutes;
}

/**
 * A model's config with the usual sizes, or those given, for what it leaves out. Parts that it does not name are those of a
 * `ModelConfig`, dense, with rotary positions; where there is no config at all the feed-forward is sparse.
 */
export function modelConfig(
  options: Partial<ModelConfig> | undefined,
  { vocabulary, length, sizes = modelDefaults }: ModelContext,
): ModelConfig {
  const { feedForward } = modelDefaults;
  const own: Partial<ModelConfig> = options ?? { feedForward };
  const { dModel, heads } = widthAndHeads(own, sizes);
  return {
    ...own,
    vocabulary: own.vocabulary ?? vocabulary,
    maxLength: own.maxLength ?? length,
    dModel,
    dFf: hiddenUnits({ ...own, dModel }),
    layers: own.layers ?? sizes.layers,
    heads,
    positions: own.positions ?? modelDefaults.positions,
    ...(own.encoder && { encoder: encoderConfig(own.encoder, own.layers ?? sizes.layers, own.maxLength ?? length) }),
  };
}

/** An encoder with as many blocks as the text has, and sources twice as long, where nothing else is said. */
const encoderConfig = (encoder: Partial<EncoderConfig>, layers: number, length: number): EncoderConfig => ({
  type: "terraformer",
  layers,
  maxLength: sourceDefaults.sourceRatio * length,
  ...encoder,
});

/**
 * A config in parts, from a JSON file.
 *
 * @throws FinegrainError where the file is missing, no JSON, or has a section or field that is not known.
 */
export async function readPartialConfig(path: string): Promise<PartialConfig> {
  const text = await nodeFiles()
    .readFile(path, "utf8")
    .catch((error: Error) => {
      throw new FinegrainError(`cannot read the config ${path}: ${error.message}`);
    });
  const config = jsonObject(parseJson(text, `the config ${path}`), path);
  known(config, SECTIONS, path);
  for (const name of ["model", "training"] as const)
    if (config[name] !== undefined) jsonObject(config[name], `${path}: ${name}`);
  checkTexts(config, path);
  known(jsonObject(config.training ?? {}, path), TRAINING, `${path}: training`);
  return config as PartialConfig; // its sections were just checked, their fields are by `checkRunConfig`
}

/**
 * Make sure that a config is whole and its numbers can be. The model's own part is checked when the model is made.
 *
 * @param name what to call the config in errors.
 * @throws FinegrainError that names the field.
 */
export function checkRunConfig(value: unknown, name: string): RunConfig {
  const config = jsonObject(value, name);
  for (const section of ["model", "tokenizer", "training"] as const)
    if (config[section] === undefined) throw new FinegrainError(`${name} has no ${section}`);
  checkTexts(config, name);
  checkSpecialTokens(config.specialTokens, `${name}: specialTokens`);
  if (config.text !== undefined) checkFingerprint(config.text, `${name}: text`);
  const training = jsonObject(config.training, `${name}: training`);
  for (const [field, { least, whole }] of Object.entries(LEAST)) {
    const number = training[field];
    const fits = whole ? Number.isSafeInteger(number) : Number.isFinite(number);
    if (!fits || (number as number) < least)
      // a number, as the line before made sure
      throw new FinegrainError(
        `${name}: training.${field} must be a ${whole ? "whole " : ""}number of at least ${least}, not ${shownJson(number)}`,
      );
  }
  if (training.optimizer !== "adamw" && training.optimizer !== "adafactor")
    throw new FinegrainError(
      `${name}: training.optimizer must be adamw or adafactor, not ${shownJson(training.optimizer)}`,
    );
  parseSchedule(training.schedule);
  if (typeof (training.deterministic ?? false) !== "boolean")
    throw new FinegrainError(
      `${name}: training.deterministic must be true or false, not ${shownJson(training.deterministic)}`,
    );
  const { transition = 0 } = training;
  if (typeof transition !== "number" || !(transition >= 0 && transition <= 1))
    throw new FinegrainError(`${name}: training.transition must be a number from 0 to 1, not ${shownJson(transition)}`);
  return config as unknown as RunConfig; // field by field, above
}

/** A checkpoint's config, completed, and whether training can go on from it. */
export interface SavedConfig {
  readonly config: RunConfig;
  readonly isWhole: boolean;
}

/**
 * The config of a checkpoint that `saveCheckpoint` wrote: a run's, `{ model }` or the model's alone. A tokenizer that is not named is
 * bytes.
 *
 * @param name what to call the config in errors.
 * @throws FinegrainError where it does not say what the model is, or a field is wrong.
 */
export function readSavedConfig(value: unknown, name: string): SavedConfig {
  const saved = typeof value === "object" && value !== null ? (value as JsonObject) : {};
  if (saved.training !== undefined && saved.model !== undefined)
    return { config: checkRunConfig({ tokenizer: "byte", ...saved }, name), isWhole: true };
  const model = (saved.model ?? saved) as ModelConfig; // which the model itself checks
  if (!Number.isInteger(model.vocabulary) || !Number.isInteger(model.dModel))
    throw new FinegrainError(
      `${name} does not say what the model is: a checkpoint is opened by its config where that is the model's config, or has it as "model"`,
    );
  const training = trainingConfig({ length: Math.min(model.maxLength, JUDGED_LENGTH) });
  const { tokenizer = "byte", data, specialTokens, chatTemplate } = saved.model === undefined ? {} : saved;
  const config = { model, tokenizer, data, training, ...ofOthers({ specialTokens, chatTemplate }) };
  return { config: checkRunConfig(config, name), isWhole: false };
}

/** What a config has of a model that others trained, without what there is not. */
export const ofOthers = <S, T>({ specialTokens, chatTemplate }: { specialTokens?: S; chatTemplate?: T }) => ({
  ...(specialTokens !== undefined && { specialTokens }),
  ...(chatTemplate !== undefined && { chatTemplate }),
});

function checkSpecialTokens(value: unknown, name: string): void {
  if (value === undefined) return;
  const { begin = 0, end = [] } = jsonObject(value, name);
  const isToken = (id: unknown) => Number.isSafeInteger(id) && (id as number) >= 0; // a number, if it is an integer
  if (!isToken(begin)) throw new FinegrainError(`${name}.begin must be a token, not ${shownJson(begin)}`);
  if (!Array.isArray(end) || !end.every(isToken))
    throw new FinegrainError(`${name}.end must be a list of tokens, not ${shownJson(end)}`);
}

function checkTexts(config: JsonObject, name: string): void {
  for (const field of ["tokenizer", "data", "textField", "sourceField", "init", "chatTemplate"] as const)
    if (config[field] !== undefined && typeof config[field] !== "string")
      throw new FinegrainError(`${name}: ${field} must be a text, not ${shownJson(config[field])}`);
}

function known(value: object, fields: readonly string[], name: string): void {
  const unknown = Object.keys(value).find((field) => !fields.includes(field));
  if (unknown !== undefined)
    throw new FinegrainError(`${name} has an unknown field "${unknown}": known are ${fields.join(", ")}`);
}
