import { createGenerator, type Generator } from "@finegrain/generate";
import { type Backend, FinegrainError, ranOn } from "@finegrain/graph";
import { type Run, readText, SPEECHES, type SparsifiedInputs, sparsifyInputs } from "@finegrain/runs";
import type { Values } from "../../arguments.ts";
import { EXIT, type ExitCode } from "../../exit.ts";
import { interruptible } from "../../interrupt.ts";
import { digits } from "../../output/format.ts";
import { progressLine } from "../../output/progress.ts";
import { table } from "../../output/table.ts";
import type { Terminal } from "../../output/terminal.ts";
import { left, right } from "../bench/table.ts";
import { decodeSpeeds } from "../decode-speeds.ts";
import { givenText } from "../given-text.ts";
import { sparsifyFlags } from "./flags.ts";

type Flags = Values<typeof sparsifyFlags>;

/** The part by which bits per byte may grow, where nobody says it. */
const LOSS = 0.02;
/** Batches of held-out text that both models are judged by. */
const BATCHES = 16;
/** Tokens of the prompt behind which decode is timed, tokens of a round, and rounds. */
const TIMED = { prompt: 8, units: 24, rounds: 5, warmup: 1 };
/** Flags that are of training, beside those of the layers that learn. */
const OF_TRAINING = ["minutes", "steps", "batch", "length", "learning-rate", "seed", "evaluate-every"] as const;

interface Surroundings {
  readonly backend: Backend;
  readonly run: Run;
  readonly out: string;
  readonly screen: Terminal;
}

/** `finegrain sparsify RUN --method inputs`: the same weights, of which those of small inputs are not read. */
export async function leaveOutInputs(flags: Flags, { backend, run, out, screen }: Surroundings): Promise<ExitCode> {
  const ofLayers = Object.keys(flags).filter((name) => !Object.hasOwn(sparsifyFlags, name));
  const strange = [...OF_TRAINING, ...ofLayers].find((name) => (flags as Record<string, unknown>)[name] !== undefined);
  if (strange) throw new FinegrainError(`--${strange} is of training, and --method inputs trains nothing`);
  using interrupt = interruptible(() => {});
  const { signal } = interrupt;
  const started = performance.now();
  try {
    const made = await sparsifyInputs(run, {
      ...{ backend, out, signal, loss: flags.loss ?? LOSS, batches: BATCHES },
      data: (await givenText(flags)) ?? (await readText(SPEECHES)),
      onProgress: (done, all) =>
        screen.progress(progressLine(done, all, (performance.now() - started) / 1000, ["inputs measured"])),
    });
    await using sparse = made.run;
    screen.clear();
    const speeds = await speedsOf(backend, { dense: run, sparse }, signal);
    const found = figures(made, speeds);
    if (flags.json) screen.write(`${JSON.stringify({ folder: out, ...found, ...ranOn(backend) })}\n`);
    else report(screen, found, out);
    return EXIT.ok;
  } catch (error) {
    if (signal.aborted) return EXIT.interrupted;
    throw error;
  }
}

/** Tokens a second of both, in the fewest bits that the backend keeps weights in. */
async function speedsOf(
  backend: Backend,
  runs: Readonly<Record<"dense" | "sparse", Run>>,
  signal: AbortSignal,
): Promise<Map<string, number>> {
  const units = Math.min(TIMED.units, runs.dense.model.config.maxLength - TIMED.prompt - 1);
  const prompt = new Int32Array(TIMED.prompt).fill(1);
  const storage = backend.storage?.has("int4") ? "int4" : "float32";
  const generators = new Map<string, Generator>();
  try {
    for (const [name, run] of Object.entries(runs))
      generators.set(name, await createGenerator({ backend, model: run.model, weights: await run.weights(), storage }));
    return await decodeSpeeds(generators, prompt, { ...TIMED, units }, signal);
  } finally {
    for (const generator of generators.values()) await generator[Symbol.asyncDispose]();
  }
}

/** What is known of one of the two models. */
interface Figures {
  readonly bitsPerByte: number;
  /** The part that is read for a token of the weights of the blocks' dense matrices. */
  readonly weightsRead: number;
  readonly tokensPerSecond: number;
}
type Found = Record<"dense" | "sparse", Figures>;

const figures = ({ before, after, share }: SparsifiedInputs, speeds: ReadonlyMap<string, number>): Found => ({
  dense: { bitsPerByte: before.bitsPerByte, weightsRead: 1, tokensPerSecond: speeds.get("dense")! },
  sparse: { bitsPerByte: after.bitsPerByte, weightsRead: share, tokensPerSecond: speeds.get("sparse")! },
});

function report(out: Terminal, found: Found, folder: string): void {
  const titles = ["bits per byte", "weights of blocks read", "tokens/s"];
  const rows = Object.entries(found).map(([name, { bitsPerByte, weightsRead, tokensPerSecond }]) => [
    name,
    bitsPerByte.toFixed(4),
    `${Math.round(100 * weightsRead)} %`,
    digits(tokensPerSecond),
  ]);
  out.print(`\n${table([left("model"), ...titles.map(right)], rows)}`);
  out.print(`in ${folder}`);
}
