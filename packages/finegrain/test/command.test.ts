import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { finegrain, folderWithText, TEXT, TINY } from "./command-line.ts";

let folder: string;
let text: string;

beforeAll(async () => {
  ({ folder, text } = await folderWithText());
});

const metricsOf = async (run: string) =>
  (await readFile(join(run, "metrics.jsonl"), "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, number>);

const COMMANDS = [
  "demo",
  "train",
  "generate",
  "evaluate",
  "import",
  "export",
  "sparsify",
  "bench",
  "study",
  "report",
  "devices",
];

test("--help lists the commands, and loads nothing that takes time", async () => {
  const runs = [await finegrain(["--help"]), await finegrain(["--help"]), await finegrain(["--help"])];
  for (const command of COMMANDS) expect(runs[0]!.stdout).toContain(`  ${command} `);
  // 300 ms on a quiet machine; tests share theirs.
  expect(Math.min(...runs.map(({ milliseconds }) => milliseconds))).toBeLessThan(600);
});

test("every command has a help page with examples", async () => {
  for (const command of COMMANDS) {
    const { code, stdout } = await finegrain([command, "--help"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`Examples:\\n  # .*\\n  finegrain ${command}`));
  }
});

test("devices says of each what it is, or how to add it", async () => {
  const { code, stdout } = await finegrain(["devices", "--json"]);
  expect(code).toBe(0);
  const found = JSON.parse(stdout) as { backend: string; device: string; available: boolean; description: string }[];
  expect(found.map(({ backend, device }) => `${backend}:${device}`)).toEqual([
    "onnx:cpu",
    "onnx:webgpu",
    "onnx:cuda",
    "tfjs:native",
    "tfjs:wasm",
    "tfjs:cuda",
    "tfjs:cpu",
    "wasm:cpu",
    "wasm:memory64",
    "webgpu:gpu",
    "webgpu:float16",
    "webgpu:software",
    "reference:cpu",
  ]);
  expect(found.find(({ backend }) => backend === "reference")).toMatchObject({ available: true });
  for (const { description } of found) expect(description).not.toMatch(/mistake in finegrain/);
});

test("devices shows what a WebGPU adapter is, can and holds", { tags: "webgpu/software" }, async () => {
  const only = ["devices", "--only", "webgpu:software"];
  const { code, stdout } = await finegrain([...only, "--json"]);
  expect(code).toBe(0);
  const [found] = JSON.parse(stdout) as { available: boolean; features: string[]; limits: Record<string, number> }[];
  expect(found).toMatchObject({ available: true, limits: { maxStorageBufferBindingSize: expect.any(Number) } });
  const shown = (await finegrain(only)).stdout;
  for (const fact of [...found!.features, ...Object.keys(found!.limits)]) expect(shown).toContain(fact);
});

test("train, evaluate and generate, from text to text", async () => {
  const run = join(folder, "whole");
  const trained = await finegrain(["train", ...TINY, "--data", text, "--out", run]);
  expect(trained).toMatchObject({ code: 0, stderr: "" });
  expect(trained.stdout).toMatch(/parameters: 1 layers of width 8/);
  expect(trained.stdout).toMatch(/done: [\d.]+ bits per byte held out; /);
  expect(trained.stdout).not.toContain("\x1b");
  expect((await readdir(run)).sort()).toEqual(["checkpoints", "config.json", "metrics.jsonl"]);
  const losses = (await metricsOf(run)).filter(({ loss }) => loss !== undefined);
  expect(losses.map(({ step }) => step)).toEqual([0, 1, 2, 3]);

  const evaluated = await finegrain(["evaluate", run, "--backend", "reference", "--json"]);
  expect(evaluated.code).toBe(0);
  const { bitsPerByte } = JSON.parse(evaluated.stdout);
  const last = (await metricsOf(run)).findLast((record) => record.heldOutBitsPerByte !== undefined);
  expect(bitsPerByte).toBeCloseTo(last!.heldOutBitsPerByte!, 4);

  const flags = ["--backend", "reference", "--max-tokens", "6", "--seed", "3"];
  const generated = await finegrain(["generate", run, "--prompt", "It was", ...flags]);
  expect(generated.code).toBe(0);
  expect(generated.stdout).toMatch(/^It was/);
  const told = ["--json", "--log-probabilities", "1"];
  const json = await finegrain(["generate", run, ...flags, ...told], { stdin: "It was\n" });
  expect(json).toMatchObject({ code: 0, stderr: "" });
  const { prompt, text: continuation, tokens, logProbabilities } = JSON.parse(json.stdout);
  expect(prompt).toBe("It was");
  expect(logProbabilities.map(({ token }: { token: number }) => token)).toEqual(tokens);
  expect(logProbabilities[0]).toMatchObject({ text: continuation[0], likely: [{ text: expect.any(String) }] });
  expect(logProbabilities[0].logProbability).toBeLessThanOrEqual(logProbabilities[0].likely[0].logProbability);
  expect(tokens).toHaveLength(6);
  expect(generated.stdout.trimEnd()).toBe(`It was${continuation}`.trimEnd());

  const drafted = await finegrain(["generate", run, "--prompt", "It was", ...flags, "--draft", run]);
  expect(drafted).toMatchObject({ code: 0, stdout: generated.stdout });
  const telling = await finegrain(["generate", run, "--prompt", "It was", ...flags, ...told, "--draft", run]);
  expect(telling.code).toBe(1);
  expect(telling.stderr).toMatch(/how likely tokens were is not told of drafted texts/);
});

test("evaluates and writes with weights of 8 and 4 bits on wasm, and says what they cost", async () => {
  const run = join(folder, "quantized");
  const wasm = ["--backend", "wasm"];
  // Feed-forward matrices of 64 x 1,040: large enough to be stored in fewer bits.
  const size = ["--layers", "1", "--d-model", "64", "--d-ff", "1040", "--heads", "2", "--block-size", "4"];
  const steps = ["--length", "16", "--batch", "2", "--steps", "4", "--data", text, "--out", run];
  expect(await finegrain(["train", ...wasm, ...size, ...steps])).toMatchObject({ code: 0, stderr: "" });
  const evaluated = await finegrain(["evaluate", run, ...wasm, "--quantize", "int8", "--json"]);
  expect(evaluated).toMatchObject({ code: 0, stderr: "" });
  const { bitsPerByte, quantized } = JSON.parse(evaluated.stdout);
  expect(quantized.storage).toBe("int8");
  expect(quantized.bitsPerByte).not.toBe(bitsPerByte);
  expect(quantized.bitsPerByte).toBeCloseTo(bitsPerByte, 1);
  const shown = await finegrain(["evaluate", run, ...wasm, "--quantize", "int4"]);
  expect(shown.stdout).toMatch(/with large weights in int4: [+-]0\.\d{4}\n$/);
  const generate = ["generate", run, "--prompt", "It was", "--max-tokens", "6", "--quantize", "int8"];
  const generated = await finegrain([...generate, ...wasm]);
  expect(generated).toMatchObject({ code: 0 });
  expect(generated.stdout).toMatch(/^It was/);
  const refused = await finegrain([...generate, "--backend", "onnx"]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/onnx:cpu keeps weights in float32 alone, not in int8/);
});

test("trains for so many minutes, measuring included, where nobody says steps", async () => {
  const run = join(folder, "timed");
  const { milliseconds, ...ended } = await finegrain([
    ...["train", "--backend", "wasm", "--minutes", "0.2", "--data", text, "--length", "16", "--out", run],
  ]);
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  expect(ended.stdout).toMatch(/^[\d,]+ tokens\/s here, measured in \d+ s: 0\.\d+ minutes of steps\n/);
  // Of other tests that take the processors after it measured it knows nothing.
  expect(milliseconds).toBeLessThan(2.5 * 0.2 * 60_000);
  const both = await finegrain(["train", "--minutes", "1", "--steps", "2", "--data", text, "--out", run]);
  expect(both).toMatchObject({ code: 2 });
  expect(both.stderr).toContain("--minutes cannot be given with --steps");
});

test("trains on a folder of text and JSONL, with Adafactor and every part sparse", async () => {
  const data = join(folder, "data");
  await mkdir(data);
  await writeFile(join(data, "a.txt"), TEXT);
  await writeFile(join(data, "b.jsonl"), `${JSON.stringify({ text: TEXT })}\n`);
  const sparse = ["--attention", "sparse", "--qkv-sparsity", "2", "--kernel", "3", "--loss-sparsity", "4"];
  const flags = ["--optimizer", "adafactor", "--schedule", "inverse-sqrt", "--accumulate", "2", "--steps", "2"];
  const run = join(folder, "sparse");
  const { code, stdout, stderr } = await finegrain([
    "train",
    ...TINY,
    "--data",
    data,
    "--out",
    run,
    ...sparse,
    ...flags,
    "--json",
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(JSON.parse(stdout)).toMatchObject({ folder: run, step: 2, interrupted: false });
});

test("Ctrl-C finishes the step, writes a checkpoint and exits 130; --resume then ends like a run that was never stopped", async () => {
  // On a backend whose own numbers are those of a checkpoint, float32: so that what goes on is the same bit for bit.
  const flags = [...TINY, "--data", text, "--steps", "30", "--evaluate-every", "2", "--backend", "onnx"];
  const stopped = join(folder, "stopped");
  let sent = false;
  const first = await finegrain(["train", ...flags, "--out", stopped], {
    onOutput(stdout, kill) {
      if (sent || !/step 4:/.test(stdout)) return;
      sent = true;
      kill("SIGINT");
    },
  });
  expect(first.code).toBe(130);
  expect(first.stdout).toMatch(/stopped after step \d+; go on with: npm run finegrain -- train --resume/);
  const done = (await metricsOf(stopped)).filter(({ loss }) => loss !== undefined).length;
  expect(done).toBeLessThan(30);
  expect(first.stdout).toContain(`stopped after step ${done};`);

  const resumed = await finegrain(["train", "--resume", stopped]);
  expect(resumed).toMatchObject({ code: 0, stderr: "" });
  const whole = join(folder, "never-stopped");
  expect((await finegrain(["train", ...flags, "--out", whole])).code).toBe(0);
  const losses = async (run: string) =>
    (await metricsOf(run)).flatMap(({ step, loss }) => (loss === undefined ? [] : [[step, loss]]));
  expect(await losses(stopped)).toEqual(await losses(whole));
});

test("a second Ctrl-C ends it at once", async () => {
  let sent = 0;
  const ended = await finegrain(
    ["train", ...TINY, "--data", text, "--steps", "100000", "--out", join(folder, "twice"), "--evaluate-every", "1"],
    {
      onOutput(stdout, kill) {
        if (!/step 1:/.test(stdout) || sent++ > 0) return;
        kill("SIGINT");
        setTimeout(() => kill("SIGINT"), 1);
      },
    },
  );
  expect(ended.code).toBe(130);
});

test("the demo trains both models, lets them write, and leaves runs behind", async () => {
  const out = join(folder, "demo");
  const { code, stdout } = await finegrain(["demo", "--steps", "2", "--out", out]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/the sparse model writes\nFellow citizens/);
  expect(stdout).toMatch(/\nsparse +4\d\d k +[\d.]+( to [\d.]+)? +[\d,]+ +[\d,]+\ndense +4\d\d k/);
  expect(stdout).toMatch(/dense [\d.,]+ tokens\/s, sparse [\d.,]+ tokens\/s: [\d.]+ x/);
  expect(stdout).toMatch(/\nWith as many parameters the sparse model is .+ bits per byte against .+\.\n/);
  for (const run of ["sparse", "dense", "sparse-2", "dense-2"])
    expect((await readdir(join(out, run))).sort()).toEqual(["checkpoints", "config.json", "metrics.jsonl"]);
}, 240_000);
