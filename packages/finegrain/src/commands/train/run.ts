import { join } from "node:path";
import { backendOptions } from "@finegrain/backends";
import { type Communicator, valueOfRank } from "@finegrain/distributed";
import { ranOn } from "@finegrain/graph";
import {
  hiddenUnits,
  type LoraConfig,
  type LoraMatrix,
  leaves,
  type ModelConfig,
  type Param,
  parameterCount,
} from "@finegrain/nn";
import {
  CHECKPOINT_POINTERS,
  checkUnused,
  type Measured,
  type Run,
  readPartialConfig,
  readText,
  runPaths,
  type Start,
  type TrainOptions,
  train as trainRun,
  unusedFolder,
} from "@finegrain/runs";
import type { Values } from "../../arguments.ts";
import { EXIT, type ExitCode, UsageError } from "../../exit.ts";
import { interruptible } from "../../interrupt.ts";
import { count, digits, whole } from "../../output/format.ts";
import { firstWords, hint } from "../../output/hint.ts";
import { type Terminal, terminal } from "../../output/terminal.ts";
import { givenText } from "../given-text.ts";
import { openNoting } from "../open-backend.ts";
import { optionsOfRank, withRanks } from "../ranks.ts";
import { begunRun } from "./begun-run.ts";
import type { trainFlags } from "./flags.ts";
import { trainingProgress } from "./progress.ts";
import { inTraining, optionsFromFlags } from "./train-flags.ts";

type Flags = Values<typeof trainFlags>;

/** `finegrain train`: a new run, or an old one from its last checkpoint on. */
export const train = (flags: Flags): Promise<ExitCode> =>
  withRanks(flags.distributed, (communicator) => trainAsRank(flags, communicator));

async function trainAsRank(flags: Flags, communicator: Communicator): Promise<ExitCode> {
  const isFirst = communicator.rank === 0;
  const isRank = communicator.size > 1;
  const out = terminal({ quiet: flags.json || !isFirst });
  const which = optionsOfRank(backendOptions(flags.backend, flags.device), flags.threads, communicator);
  const options = flags.resume === undefined ? await newRun(flags, communicator) : await oldRun(flags, flags.resume);
  await using backend = await openNoting(out, which);
  using interrupt = interruptible(
    () => out.note("finishing this step and writing a checkpoint; Ctrl-C again stops at once"),
    { isRank },
  );
  if (isRank)
    out.print(`${communicator.size} ranks, ${communicator.local} of them on this machine, by ${communicator.name}`);
  let started: Start | undefined;
  const training = trainRun({
    ...options,
    ...trainingProgress(out),
    backend,
    communicator,
    expertParallel: flags["expert-parallel"],
    signal: interrupt.signal,
    onMeasured: (measured) => describeBudget(out, measured),
    onStart(start) {
      started = start;
      describe(out, start);
    },
  });
  await using run = await begunRun(training, out, () => interrupt.signal.aborted && !started);
  if (run === undefined) return isRank ? communicator.abort(EXIT.interrupted) : EXIT.interrupted;
  if (flags.json && isFirst) out.write(`${JSON.stringify({ folder: run.path, ...run.outcome, ...ranOn(backend) })}\n`);
  else if (!flags.json) report(out, run, started!); // it has, or had failed
  return run.outcome?.interrupted ? EXIT.interrupted : EXIT.ok;
}

async function newRun(flags: Flags, communicator: Communicator): Promise<Omit<TrainOptions, "backend">> {
  const file = flags.config === undefined ? {} : await readPartialConfig(flags.config);
  const { data, fields, model, tokenizer, training } = optionsFromFlags(flags, file);
  if (flags.init !== undefined) onlyBeside("init", flags, WITH_INIT, "the model and the tokenizer that it names hold");
  const out = valueOfRank(communicator, flags.out ?? (await unusedFolder(`runs/${timestamp()}`)));
  // Refused before the text is read.
  if (communicator.rank === 0) await checkUnused(out);
  const own =
    flags.init === undefined
      ? { model, tokenizer }
      : { init: flags.init, lora: loraOf(flags), inTraining: inTraining(flags) };
  const idle = (["lora", "lora-alpha", "lora-matrices"] as const).find((name) => flags[name] !== undefined);
  if (idle !== undefined && own.lora === undefined)
    throw new UsageError(`--${idle} needs ${flags.init === undefined ? "--init" : "--lora"}`);
  return { ...own, training, out, data: await readText(data, fields) };
}

function loraOf({ lora: rank, "lora-alpha": alpha, "lora-matrices": named }: Flags): LoraConfig | undefined {
  if (rank === undefined) return undefined;
  const matrices = named?.split(",").map((name) => name.trim()) as readonly LoraMatrix[] | undefined; // which the model checks
  return { rank, ...(alpha !== undefined && { alpha }), ...(matrices && { matrices }) };
}

/** `2026-11-24-0907`, of the local time. */
function timestamp(): string {
  const now = new Date();
  const two = (n: number) => String(n).padStart(2, "0");
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}-${two(now.getHours())}${two(now.getMinutes())}`;
}

/** What may be said beside --resume: the run's own config holds for the rest. */
const WITH_RESUME = [
  ...["resume", "steps", "data", "text-field", "pairs", "new-data"],
  ...["backend", "device", "threads", "distributed", "expert-parallel", "json"],
];

/** What may be said beside --init: how it learns, and not what it is. */
const WITH_INIT = [
  ...["text-field", "pairs", "lora", "lora-alpha", "lora-matrices"],
  ...["dropout", "attention-dropout", "feed-forward-chunk"],
  ...["init", "out", "data", "minutes", "steps", "evaluate-every", "checkpoint-every", "length", "batch", "accumulate"],
  ...["optimizer", "learning-rate", "schedule", "warmup", "weight-decay", "clip", "transition", "seed"],
  ...["deterministic", "backend", "device", "threads", "distributed", "expert-parallel", "json"],
];

/** @throws UsageError where a flag is said that `allowed` does not have. */
function onlyBeside(name: string, flags: Flags, allowed: readonly string[], reason: string): void {
  const extra = Object.entries(flags).find(
    ([flag, value]) => value !== undefined && value !== false && !allowed.includes(flag),
  );
  if (extra) throw new UsageError(`--${extra[0]} cannot be given with --${name}: ${reason}`);
}

async function oldRun(flags: Flags, resume: string): Promise<Omit<TrainOptions, "backend">> {
  onlyBeside("resume", flags, WITH_RESUME, "the run's own config holds");
  const data = await givenText(flags);
  return {
    resume,
    newData: flags["new-data"],
    ...(flags.steps !== undefined && { training: { steps: flags.steps } }),
    ...(data && { data }),
  };
}

function describeBudget(out: Terminal, { config, tokensPerSecond, seconds }: Measured): void {
  const { steps, batch, accumulate, length } = config.training;
  const minutes = (steps * batch * accumulate * length) / tokensPerSecond / 60;
  out.print(
    `${whole(tokensPerSecond)} tokens/s here, measured in ${whole(seconds)} s: ${digits(minutes)} minutes of steps`,
  );
}

function describe(out: Terminal, { config, corpus, model, step, folder, evaluated }: Start): void {
  const { training, data = "the text given" } = config;
  const { layers, dModel, heads, feedForward, attention, lora, student } = config.model;
  const trained = leaves<Param>(model.params).filter(([path]) => model.isTrained?.(path) ?? true);
  const learning = (lora ?? student) && `, of which ${count(parameterCount(Object.fromEntries(trained)))} learn`;
  out.print(
    `${count(parameterCount(model.params))} parameters${learning ?? ""}: ${layers} layers of width ${dModel}, ${heads} heads, ` +
      `feed-forward ${hiddenUnits(config.model)} (${inWords(feedForward)}), attention ${attention?.type ?? "dense"}`,
  );
  out.print(
    `${whole(training.steps)} steps of ${training.accumulate * training.batch} x ${training.length} tokens of ${data} ` +
      `(${whole(corpus.train.length)} to train on, ${whole(corpus.heldOut.length)} held out), ${training.optimizer}, into ${folder}`,
  );
  if (evaluated < corpus.heldOut.length - 1)
    out.print(
      `each evaluation looks at ${whole(evaluated)} of the tokens held out, ${hint("evaluate", folder!)} at all`,
    );
  if (step > 0) out.print(`going on after step ${step}`);
}

function inWords(own: ModelConfig["feedForward"]): string {
  if (own === undefined || own.type === "dense") return "dense";
  return "blockSize" in own ? `${own.type} 1 of ${own.blockSize}` : `${own.type}, ${own.experts} experts`;
}

/** Tokens of the training text that a prompt is suggested from. */
const LOOKED_AT = 64;

function report(out: Terminal, { path: folder, config, outcome, tokenizer }: Run, start: Start): void {
  const { step, interrupted, bitsPerByte, best, heldOut, tokensPerSecond, communication } = outcome!; // it was just trained
  if (interrupted) {
    out.print(`stopped after step ${step}; go on with: ${hint("train", "--resume", folder!)}`);
    return;
  }
  if (tokensPerSecond === undefined) {
    out.print(
      `nothing to do: its ${whole(step)} steps are done; for more: ${hint("train", "--resume", folder!, "--steps", `${2 * step}`)}`,
    );
    return;
  }
  const part =
    heldOut.evaluated < heldOut.tokens - 1
      ? `, on ${whole(heldOut.evaluated)} of the ${whole(heldOut.tokens)} tokens`
      : "";
  const quality = bitsPerByte === undefined ? "" : `${digits(bitsPerByte)} bits per byte held out${part}; `;
  const spoke = communication === undefined ? "" : `, ${digits(100 * communication)} % of the time between ranks`;
  out.print(`${out.style.bold("done")}: ${quality}${whole(tokensPerSecond)} tokens/s${spoke}, in ${folder}`);
  if (best !== undefined && best.step < step)
    out.print(
      `best at step ${best.step}: ${digits(best.bitsPerByte)} bits per byte, kept as ${join(runPaths(folder!).checkpoints, CHECKPOINT_POINTERS.best)}`,
    );
  const prompt = firstWords(tokenizer.decode(start.corpus.train.slice(0, Math.min(LOOKED_AT, config.training.length))));
  if (config.model.objective !== "masked" && prompt !== undefined)
    out.print(`next: ${hint("generate", folder!, config.model.encoder ? "--source" : "--prompt", prompt)}`);
}
