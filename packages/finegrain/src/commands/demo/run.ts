import { join } from "node:path";
import { backendOptions } from "@finegrain/backends";
import { BASELINE, isMeasurement, median, parseSuite, runSuite } from "@finegrain/bench";
import { byteTokenizer, createGenerator, type Generator } from "@finegrain/generate";
import type { Backend } from "@finegrain/graph";
import { equalParameters, type ModelConfig, parameterCount, scalingLM } from "@finegrain/nn";
import {
  checkUnused,
  type Run,
  SPEECHES,
  speeches,
  type Text,
  type TrainingOptions,
  train,
  unusedFolder,
} from "@finegrain/runs";
import type { Values } from "../../arguments.ts";
import { EXIT, type ExitCode } from "../../exit.ts";
import { interruptible } from "../../interrupt.ts";
import { count, digits, duration, whole } from "../../output/format.ts";
import { hint } from "../../output/hint.ts";
import { table } from "../../output/table.ts";
import { type Terminal, terminal } from "../../output/terminal.ts";
import { decodeSpeeds } from "../decode-speeds.ts";
import { openNoting } from "../open-backend.ts";
import { trainingProgress } from "../train/progress.ts";
import { conclusion, spread } from "./conclusion.ts";
import type { demoFlags } from "./flags.ts";

/** Sizes at which two cores reach words in less than a minute. */
const DENSE: ModelConfig = {
  vocabulary: 256,
  dModel: 128,
  dFf: 512,
  layers: 2,
  heads: 2,
  maxLength: 512,
  positions: "rotary",
};
const SPARSE: ModelConfig = { ...DENSE, feedForward: { type: "sparse", blockSize: 8, rank: 32 } };
const TRAINING: TrainingOptions = { batch: 16, length: 128, learningRate: 0.004 };
/** Of the first model's training; the others take as many steps. */
const MINUTES = 0.65;
/** Each model is trained from so many starts, which differ by chance: two models are as good as each other within that. */
const SEEDS = [1, 2];

const PROMPT = "Fellow citizens of the Senate and the House of Representatives: ";
const PARAGRAPH = 320;
/** Tokens of a round in which decode is timed, and rounds. */
const TIMED = { units: 64, rounds: 7, warmup: 3 };

/** Models of this size fit into a processor's caches. What sparse decode is for shows at the width of the paper's model. */
const WIDE = parseSuite(
  {
    name: "demo",
    title: "decode at the width of the paper's 800M model",
    cases: [
      {
        name: "4 layers of width 1024",
        phase: "decode",
        model: { vocabulary: 32000, dModel: 1024, layers: 4, heads: 16, maxLength: 256 },
        variants: [
          { name: BASELINE, model: { dFf: 4096 } },
          {
            name: "sparse",
            model: {
              dFf: 6144,
              feedForward: { type: "sparse", blockSize: 64, rank: 96 },
              attention: { type: "multiplicative-convolutional", modules: 16, kernel: 3, lengthKernel: 3 },
              loss: { type: "multiplicative", modules: 4 },
            },
          },
        ],
        measure: { prompt: 16, units: 8, rounds: 9, warmup: 3 },
      },
    ],
  },
  "the demo's suite",
);

/** One of the two models, trained from every seed. */
interface Trained {
  readonly name: string;
  readonly runs: readonly [Run, ...Run[]];
}

/** `finegrain demo`: the main job on the text that comes along. */
export async function demo(flags: Values<typeof demoFlags>): Promise<ExitCode> {
  const started = performance.now();
  const out = terminal();
  const folder = flags.out ?? (await unusedFolder(join("runs", "demo")));
  await checkUnused(folder);
  await using backend = await openNoting(out, backendOptions(flags.backend, flags.device));
  using interrupt = interruptible(() =>
    out.note("finishing this step and writing a checkpoint; Ctrl-C again stops at once"),
  );
  const documents = await speeches();
  const data = { source: SPEECHES, documents };
  const { style } = out;
  out.print(
    `${style.bold("finegrain demo")}: two language models of equal parameter count learn the State of the Union speeches,\n` +
      `byte by byte; in the sparse one every token turns on 1 in ${blockSize()} units of each feed-forward layer.`,
  );
  out.print(
    style.dim(
      `${backend.name}, ${backend.device.description}; ${documents.length} speeches, the last tenth of their bytes held out`,
    ),
  );
  const trained = await trainBoth(out, { backend, data, folder, steps: flags.steps, signal: interrupt.signal });
  if (trained === undefined) return EXIT.interrupted;
  const decode = await writeAndTime(out, backend, trained, interrupt.signal);
  if (interrupt.signal.aborted) return EXIT.interrupted;
  printTable(out, trained, decode);
  const ratio = await compareWide(out, backend, interrupt.signal);
  if (interrupt.signal.aborted) return EXIT.interrupted;
  const [sparse, dense] = trained.map(bitsPerByte) as [number[], number[]]; // in this order
  out.print(`\n${style.bold(conclusion({ sparse, dense, decode: ratio }))}`);
  out.print(`\n${duration((performance.now() - started) / 1000)} in all. Next:`);
  printNext(out, folder);
  return EXIT.ok;
}

const blockSize = () => (SPARSE.feedForward?.type === "sparse" ? SPARSE.feedForward.blockSize : 1);

interface Training {
  readonly backend: Backend;
  readonly data: Text;
  readonly folder: string;
  /** Of every run; undefined: as many as the first has time for. */
  readonly steps: number | undefined;
  readonly signal: AbortSignal;
}

/** Both models from every seed, in turns. @returns undefined where it was interrupted. */
async function trainBoth(out: Terminal, { folder, steps: asked, ...rest }: Training): Promise<Trained[] | undefined> {
  const models = Object.entries({ sparse: equalParameters(DENSE, SPARSE), dense: DENSE });
  const runs = new Map<string, Run[]>(models.map(([name]) => [name, []]));
  let steps = asked;
  for (const [nth, seed] of SEEDS.entries()) {
    for (const [name, model] of models) {
      const label = `${name}, seed ${seed}`;
      if (nth === 0)
        out.print(
          `\n${out.style.bold(name)}: ${count(parameterCount(scalingLM(model).params))} parameters, feed-forward ${model.dFf}`,
        );
      const own = join(folder, nth === 0 ? name : `${name}-${nth + 1}`);
      const training = { ...TRAINING, seed, ...(steps === undefined ? { minutes: MINUTES } : { steps }) };
      const run = await train({ ...rest, model, training, out: own, ...trainingProgress(out, label) });
      out.clear();
      if (run.outcome?.interrupted) {
        out.print(`stopped after step ${run.step}; go on with: ${hint("train", "--resume", own)}`);
        return undefined;
      }
      steps = run.config.training.steps;
      runs.get(name)!.push(run);
    }
  }
  return [...runs].map(([name, [first, ...others]]) => ({ name, runs: [first!, ...others] }));
}

const bitsPerByte = ({ runs }: Trained): number[] => runs.map((run) => run.bitsPerByte ?? Number.NaN);

/** Let each model write a paragraph, then time both, round by round. @returns decoded tokens/s by name. */
async function writeAndTime(
  out: Terminal,
  backend: Backend,
  trained: readonly Trained[],
  signal: AbortSignal,
): Promise<Map<string, number>> {
  const generators = new Map<string, Generator>();
  try {
    for (const {
      name,
      runs: [run],
    } of trained) {
      const generator = await createGenerator({ backend, model: run.model, weights: await run.weights() });
      generators.set(name, generator);
      await writeParagraph(out, name, generator, signal);
    }
    const prompt = byteTokenizer().encode(PROMPT);
    return await decodeSpeeds(generators, prompt, TIMED, signal); // awaited before they are disposed of
  } finally {
    for (const generator of generators.values()) await generator[Symbol.asyncDispose]();
  }
}

async function writeParagraph(out: Terminal, name: string, generator: Generator, signal: AbortSignal): Promise<void> {
  const tokenizer = byteTokenizer();
  const options = { maxTokens: PARAGRAPH, temperature: 0.7, seed: 1, tokenizer, signal };
  out.print(`\n${out.style.bold(`the ${name} model writes`)}`);
  out.write(out.style.dim(PROMPT));
  for await (const { text } of generator.generate(tokenizer.encode(PROMPT), options)) out.write(text);
  out.print();
}

function printTable(out: Terminal, trained: readonly Trained[], decode: ReadonlyMap<string, number>): void {
  const right = (title: string) => ({ title, align: "right" as const });
  const columns = ["parameters", "bits per byte", "training tokens/s", "decode tokens/s"].map(right);
  const speed = ({ runs }: Trained) => median(runs.map(({ outcome }) => outcome?.tokensPerSecond ?? Number.NaN));
  const rows = trained.map((model) => [
    model.name,
    count(parameterCount(model.runs[0].model.params)),
    spread(bitsPerByte(model)),
    whole(speed(model)),
    whole(decode.get(model.name) ?? Number.NaN),
  ]);
  const over = (of: (model: Trained) => number) => `${digits(of(trained[0]!) / of(trained[1]!))} x`;
  const ratios = ["sparse over dense", "", "", over(speed), over(({ name }) => decode.get(name)!)];
  out.print(`\n${table([{ title: "model", align: "left" }, ...columns], [...rows, ratios])}`);
}

/**
 * The same comparison where memory is the limit, on random weights: in a few seconds, since nothing is trained.
 * @returns how many times faster sparse decode is; undefined where it was not measured.
 */
async function compareWide(out: Terminal, backend: Backend, signal: AbortSignal): Promise<number | undefined> {
  let ratio: number | undefined;
  const onProgress = ({ activity }: { readonly activity: string }) => out.progress(`${WIDE.title}: ${activity}`);
  for await (const results of runSuite(WIDE, { backend, signal, onProgress })) {
    out.clear();
    const [dense, sparse] = results.filter(isMeasurement);
    if (!dense || !sparse?.overDense) continue;
    ratio = sparse.overDense.median;
    const speed = ({ tokensPerSecond }: typeof dense) => `${digits(tokensPerSecond.median)} tokens/s`;
    out.print(
      `\nDecode at the width of the paper's 800M model (${sparse.case}, random weights):\n` +
        `dense ${speed(dense)}, sparse ${speed(sparse)}: ${out.style.bold(`${digits(ratio)} x`)}`,
    );
  }
  return ratio;
}

function printNext(out: Terminal, folder: string): void {
  out.print(`  ${hint("generate", join(folder, "sparse"), "--prompt", "The state of the Union is ")}`);
  out.print(`  ${hint("evaluate", join(folder, "dense"))}`);
  out.print(`  ${hint("train", "--data", "FOLDER-OF-TEXTS", "--out", "runs/mine")}`);
  out.print(`  ${hint("bench", "paper-800m", "--quick")}      # all 24 layers, every sparse part on its own`);
  out.print(`  ${hint("devices")}             # what else could run it`);
}
