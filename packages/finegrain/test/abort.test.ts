import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { initialize, type ModelConfig, scalingLM } from "@finegrain/nn";
import { saveCheckpoint } from "@finegrain/runs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Ended, emptyFolder, finegrain } from "./command-line.ts";

/** Has the command say when it listens to signals: before that one ends it anyway. */
const SAY_LISTENING = `data:text/javascript,${encodeURIComponent(`
  const { on } = process;
  process.on = function (name, ...rest) {
    if (name === "SIGINT") process.stderr.write("LISTENING");
    return on.call(this, name, ...rest);
  };
`)}`;

/** A prompt of its length takes seconds on the fast engines; on the others a prompt of a quarter does. */
const long = { vocabulary: 256, dModel: 64, dFf: 256, layers: 2, heads: 2, maxLength: 16_384 };
/** Its windows are short, so that an evaluation is of many batches. */
const short = { ...long, maxLength: 128 };

let folder: string;
/** Milliseconds that a command takes to do nothing, on a machine that does other things too. */
let idle: number;
beforeAll(async () => {
  folder = await emptyFolder();
  await writeFile(join(folder, "text.txt"), "It was the best of times, it was the worst of times. ".repeat(8_000));
  await save("long", long);
  await save("quarter", { ...long, maxLength: 4_096 });
  await save("short", short);
  idle = (await finegrain(["--version"])).milliseconds;
});
afterAll(() => rm(folder, { recursive: true }));

function save(name: string, config: ModelConfig): Promise<unknown> {
  const model = initialize(scalingLM(config).params, 1);
  return saveCheckpoint(join(folder, name), { step: 1, model, optimizer: new Map(), config, state: {} });
}

interface Stopped extends Ended {
  /** Milliseconds from the signal to the end. */
  readonly late: number;
}

/** Other work on the machine can hold up the end of a command: the first try that ends in time counts, of at most so many. */
const MOST_TRIES = 4;

/**
 * Run a command until it has worked for a while behind the moment that `isReady` knows, and interrupt it: it must end within 100 ms, and twice as
 * long as a command takes to do nothing.
 */
async function interrupted(args: readonly string[], isReady: (written: string) => boolean): Promise<Ended> {
  const limit = 100 + 2 * idle;
  for (let tries = 1; ; tries++) {
    const ended = await interruptedOnce(args, isReady);
    expect(ended.code).toBe(130);
    if (tries === MOST_TRIES) expect(ended.late).toBeLessThan(limit);
    if (ended.late < limit) return ended;
  }
}

async function interruptedOnce(args: readonly string[], isReady: (written: string) => boolean): Promise<Stopped> {
  let sent: number | undefined;
  const env = { NODE_OPTIONS: `--import ${SAY_LISTENING}` };
  const ended = await finegrain(args, {
    env,
    onOutput(stdout, kill, stderr) {
      if (sent !== undefined || !isReady(stdout + stderr)) return;
      sent = Number.POSITIVE_INFINITY;
      setTimeout(() => {
        sent = performance.now();
        kill("SIGINT");
      }, 700);
    },
  });
  return { ...ended, late: performance.now() - sent! };
}

describe.each<[string, number, ...string[]]>([
  ["wasm", 16_000, "--backend", "wasm"],
  ["onnx", 16_000, "--backend", "onnx"],
  ["tfjs:wasm", 4_000, "--backend", "tfjs", "--device", "wasm"],
  ["tfjs:cpu", 4_000, "--backend", "tfjs", "--device", "cpu"],
  ["reference", 4_000, "--backend", "reference"],
])("SIGINT on %s ends within 100 ms", (_, prompt, ...flags) => {
  const generate = (...more: string[]) => [
    "generate",
    join(folder, prompt > 4_096 ? "long" : "quarter"),
    ...flags,
    ...more,
  ];

  test("a prompt under way", async () => {
    const args = generate("--prompt", "x".repeat(prompt), "--json");
    const { stdout } = await interrupted(args, (written) => written.includes("LISTENING"));
    expect(JSON.parse(stdout)).toMatchObject({ tokens: [], text: "", end: "abort", tokensPerSecond: 0 });
  });

  test("a text under way, of which all is shown", async () => {
    const args = generate("--prompt", "It was", "-n", `${prompt}`, "--greedy");
    const { stdout } = await interrupted(args, (written) => written.includes("It was"));
    expect(stdout.length).toBeGreaterThan("It was".length);
  });

  test("an evaluation under way", async () => {
    const args = ["evaluate", join(folder, "short"), ...flags, "--data", join(folder, "text.txt"), "--batch", "1"];
    const { stdout } = await interrupted(args, (written) => written.includes("LISTENING"));
    expect(stdout).not.toContain("bits per byte on");
  });
});
