import { backendOptions } from "@finegrain/backends";
import { modelFigures } from "@finegrain/bench";
import { createGenerator, type Generator } from "@finegrain/generate";
import { type Backend, FinegrainError, ranOn } from "@finegrain/graph";
import {
  checkUnused,
  evaluateHeldOut,
  openRun,
  type Run,
  readText,
  SPEECHES,
  type Start,
  train,
  unusedFolder,
} from "@finegrain/runs";
import { trainingDefaults } from "@finegrain/runs/defaults";
import type { Values } from "../../arguments.ts";
import { EXIT, type ExitCode } from "../../exit.ts";
import { interruptible } from "../../interrupt.ts";
import { bytes, digits } from "../../output/format.ts";
import { hint } from "../../output/hint.ts";
import { table } from "../../output/table.ts";
import { type Terminal, terminal } from "../../output/terminal.ts";
import { left, right } from "../bench/table.ts";
import { decodeSpeeds } from "../decode-speeds.ts";
import { givenText } from "../given-text.ts";
import { openNoting } from "../open-backend.ts";
import { begunRun } from "../train/begun-run.ts";
import { feedForwardFromFlags } from "../train/layer-flags.ts";
import { trainingProgress } from "../train/progress.ts";
import { given } from "../train/training-flags.ts";
import type { sparsifyFlags } from "./flags.ts";
import { leaveOutInputs } from "./inputs.ts";

type Flags = Values<typeof sparsifyFlags>;

/** Batches of held-out text that both models are judged by. */
const BATCHES = 16;
/** Tokens behind the prompt of a round in which decode is timed, and rounds. */
const TIMED = { prompt: 8, units: 24, rounds: 5, warmup: 1 };

/** `finegrain sparsify RUN`: sparse feed-forward layers that a trained model's own teach, and what that gained and lost. */
export async function sparsify(flags: Flags, [path]: readonly string[]): Promise<ExitCode> {
  const teacherPath = path!; // the operand is required
  const screen = terminal({ quiet: flags.json });
  const out = flags.out ?? (await unusedFolder(`${teacherPath.replace(/[/\\]+$/, "")}-sparse`));
  await checkUnused(out);
  await using backend = await openNoting(screen, {
    ...backendOptions(flags.backend, flags.device),
    ...given({ threads: flags.threads }),
  });
  await using teacher = await openRun(teacherPath, { backend });
  if (flags.method === "inputs") return await leaveOutInputs(flags, { backend, run: teacher, out, screen });
  if (flags.loss !== undefined)
    throw new FinegrainError("--loss is of --method inputs: units are learned, for --minutes");
  const { dModel, heads, objective } = teacher.model.config;
  if (objective === "masked")
    throw new FinegrainError("models are made sparse so that they write faster, and a masked one does not write");
  const student = { feedForward: feedForwardFromFlags(flags, { dModel, heads, batch: trainingDefaults.batch }) };
  using interrupt = interruptible(() =>
    screen.note("finishing this step and writing a checkpoint; Ctrl-C again stops at once"),
  );
  const data = (await givenText(flags)) ?? (await readText(SPEECHES));
  let start: Start | undefined;
  const { batch, length, seed, steps, minutes } = flags;
  const training = train({
    ...{ backend, init: teacherPath, out, student, signal: interrupt.signal },
    ...trainingProgress(screen),
    data,
    training: given({
      ...{ batch, length, seed, steps, minutes },
      learningRate: flags["learning-rate"],
      evaluateEvery: flags["evaluate-every"],
    }),
    onStart(begun) {
      start = begun;
    },
  });
  await using run = await begunRun(training, screen, () => interrupt.signal.aborted && !start);
  if (run === undefined) return EXIT.interrupted;
  if (run.outcome?.interrupted) {
    if (flags.json) screen.write(`${JSON.stringify({ folder: out, ...run.outcome, ...ranOn(backend) })}\n`);
    screen.print(`stopped after step ${run.step}; go on with: ${hint("train", "--resume", out)}`);
    return EXIT.interrupted;
  }
  const found = await compared(backend, { teacher, sparse: run }, start!, interrupt.signal); // it ended, so it began
  if (found === undefined) return EXIT.interrupted;
  if (flags.json) screen.write(`${JSON.stringify({ folder: out, ...found, ...ranOn(backend) })}\n`);
  else report(screen, found, out);
  return EXIT.ok;
}

/** What is known of one of the two models. */
interface Figures {
  /** On a part of the held-out text. */
  readonly bitsPerByte: number;
  /** Of weights. */
  readonly bytesPerToken: number;
  readonly feedForwardBytesPerToken: number;
  /** Decoded, one text at a time. */
  readonly tokensPerSecond: number;
}
type Names = "teacher" | "sparse";

async function compared(
  backend: Backend,
  runs: Readonly<Record<Names, Run>>,
  { corpus, config }: Start,
  signal: AbortSignal,
): Promise<Record<Names, Figures> | undefined> {
  const { maxLength } = runs.sparse.model.config;
  const units = Math.min(TIMED.units, maxLength - TIMED.prompt - 1);
  const prompt = Int32Array.from(corpus.heldOut.slice(0, TIMED.prompt));
  const generators = new Map<string, Generator>();
  const judged = new Map<string, number>();
  try {
    for (const [name, run] of Object.entries(runs)) {
      const [{ model }, weights] = [run, await run.weights()];
      const { length } = config.training;
      const { bitsPerByte } = await evaluateHeldOut({
        backend,
        model,
        weights,
        corpus,
        length,
        batches: BATCHES,
        signal,
      });
      judged.set(name, bitsPerByte);
      generators.set(name, await createGenerator({ backend, model, weights }));
    }
    const speeds = await decodeSpeeds(generators, prompt, { ...TIMED, units }, signal);
    signal.throwIfAborted();
    const figures = (name: Names): Figures => ({
      bitsPerByte: judged.get(name)!,
      ...modelFigures(runs[name].model.config),
      tokensPerSecond: speeds.get(name)!,
    });
    return { teacher: figures("teacher"), sparse: figures("sparse") };
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  } finally {
    for (const generator of generators.values()) await generator[Symbol.asyncDispose]();
  }
}

function report(out: Terminal, found: Readonly<Record<Names, Figures>>, folder: string): void {
  const titles = ["bits per byte", "a token reads", "of it feed-forward", "tokens/s"];
  const rows = Object.entries(found).map(([name, figures]) => [
    name,
    figures.bitsPerByte.toFixed(4),
    bytes(figures.bytesPerToken),
    bytes(figures.feedForwardBytesPerToken),
    digits(figures.tokensPerSecond),
  ]);
  out.print(`\n${table([left("model"), ...titles.map(right)], rows)}`);
  out.print(`in ${folder}; to let all of its weights learn together: ${hint("train", "--init", folder)}`);
}
