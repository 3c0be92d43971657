import { backendOptions, openBackend } from "@finegrain/backends";
import { type ModelConfig, parameterCount, scalingLM } from "@finegrain/nn";
import {
  checkRunConfig,
  checkUnused,
  loadCorpus,
  type Outcome,
  openCheckpoint,
  openTokenizer,
  type RunConfig,
  type RunInput,
  readPartialConfig,
  runPaths,
  runTraining,
  unusedFolder,
} from "@finegrain/runs";
import type { Values } from "../../arguments.ts";
import { EXIT, type ExitCode, UsageError } from "../../exit.ts";
import { interruptible } from "../../interrupt.ts";
import { count, digits, whole } from "../../output/format.ts";
import { type Terminal, terminal } from "../../output/terminal.ts";
import type { trainFlags } from "./flags.ts";
import { trainingProgress } from "./progress.ts";
import { configFromFlags } from "./train-flags.ts";

type Flags = Values<typeof trainFlags>;

/** `finegrain train`: a new run, or an old one from its last checkpoint on. */
export async function train(flags: Flags): Promise<ExitCode> {
  const out = terminal({ quiet: flags.json });
  const { config, folder, checkpoint } = flags.resume === undefined ? await newRun(flags) : await oldRun(flags);
  const tokenizer = await openTokenizer(config.tokenizer);
  const corpus = await loadCorpus(config.data, tokenizer);
  await using backend = await openBackend(backendOptions(flags.backend, flags.device));
  describe(out, config, folder, corpus);
  if (checkpoint) out.print(`going on after step ${checkpoint.step}`);
  using interrupt = interruptible(() =>
    out.note("finishing this step and writing a checkpoint; Ctrl-C again stops at once"),
  );
  const input: RunInput = { backend, config, folder, corpus, checkpoint, signal: interrupt.signal };
  const outcome = await runTraining({ ...input, listener: trainingProgress(out) });
  out.clear();
  report(out, flags.json, { folder, masked: config.model.objective === "masked" }, outcome);
  return outcome.interrupted ? EXIT.interrupted : EXIT.ok;
}

type Start = Pick<RunInput, "config" | "folder" | "checkpoint">;

async function newRun(flags: Flags): Promise<Start> {
  const file = flags.config === undefined ? {} : await readPartialConfig(flags.config);
  const { vocabularySize } = await openTokenizer(flags.tokenizer ?? file.tokenizer ?? "byte");
  const config = configFromFlags(flags, file, vocabularySize);
  // Refused here, before the text is read, and again when the folder is made.
  const folder = flags.out ?? (await unusedFolder(`runs/${timestamp()}`));
  await checkUnused(folder);
  return { config, folder };
}

/** `2026-11-24-0907`, of the local time. */
function timestamp(): string {
  const now = new Date();
  const two = (n: number) => String(n).padStart(2, "0");
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}-${two(now.getHours())}${two(now.getMinutes())}`;
}

/** What may be said beside --resume: the run's own config holds for the rest. */
const WITH_RESUME = ["resume", "backend", "device", "json"];

async function oldRun(flags: Flags): Promise<Start> {
  const folder = flags.resume!;
  const extra = Object.entries(flags).find(
    ([name, value]) => value !== undefined && value !== false && !WITH_RESUME.includes(name),
  );
  if (extra) throw new UsageError(`--${extra[0]} cannot be given with --resume: the run's own config holds`);
  const checkpoint = await openCheckpoint(runPaths(folder).checkpoints);
  const config = checkRunConfig(checkpoint.config, `the config of ${checkpoint.path}`);
  const tokenizer = config.tokenizer === "byte" ? "byte" : runPaths(folder).tokenizer;
  return { config: { ...config, tokenizer }, folder, checkpoint };
}

function describe(out: Terminal, config: RunConfig, folder: string, corpus: RunInput["corpus"]): void {
  const { model, training, data } = config;
  const parameters = parameterCount(scalingLM(model).params);
  out.print(
    `${count(parameters)} parameters: ${model.layers} layers of width ${model.dModel}, ${model.heads} heads, ` +
      `feed-forward ${model.dFf} (${inWords(model.feedForward)}), attention ${model.attention?.type ?? "dense"}`,
  );
  out.print(
    `${whole(training.steps)} steps of ${training.accumulate * training.batch} x ${training.length} tokens of ${data} ` +
      `(${whole(corpus.train.length)} to train on, ${whole(corpus.heldOut.length)} held out), ${training.optimizer}, into ${folder}`,
  );
}

function inWords(own: ModelConfig["feedForward"]): string {
  if (own === undefined || own.type === "dense") return "dense";
  return "blockSize" in own ? `${own.type} 1 of ${own.blockSize}` : `${own.type}, ${own.experts} experts`;
}

function report(
  out: Terminal,
  json: boolean,
  { folder, masked }: { folder: string; masked: boolean },
  outcome: Outcome,
): void {
  const { step, interrupted, bitsPerByte, tokensPerSecond } = outcome;
  if (json) {
    out.write(`${JSON.stringify({ folder, ...outcome })}\n`);
    return;
  }
  if (interrupted) {
    out.print(`stopped after step ${step}; go on with: finegrain train --resume ${folder}`);
    return;
  }
  const quality = bitsPerByte === undefined ? "" : `${digits(bitsPerByte)} bits per byte held out, `;
  out.print(`${out.style.bold("done")}: ${quality}${whole(tokensPerSecond)} tokens/s, in ${folder}`);
  if (!masked) out.print(`next: finegrain generate ${folder} --prompt "Fellow citizens, "`);
}
