import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { finegrain, folderWithText, TINY } from "./command-line.ts";

/** A machine on which no native module loads: onnxruntime-node is installed, and its binding is broken. */
const BROKEN = {
  NODE_OPTIONS: `--import=data:text/javascript,process.dlopen=()=>{throw(Error(%22wrong_ELF_class%22))}`,
};
const WHY =
  "wasm runs in place of onnx: onnxruntime-node is installed, but does not load on this machine (wrong_ELF_class)";
const DEFAULT_BACKEND = TINY.slice(2);
const MODEL = { vocabulary: 16, dModel: 8, dFf: 16, layers: 1, heads: 2, maxLength: 16 };
const MEASURE = { prompt: 4, units: 2, rounds: 1, warmup: 0 };
const STUDY = {
  title: "tiny models",
  data: "text.txt",
  model: { dModel: 16, dFf: 64, layers: 1, heads: 2, positions: "rotary" },
  training: { steps: 2, batch: 2, length: 16 },
  tuning: 1,
  rates: [0.01],
  seeds: [1],
  variants: [{ name: "dense" }],
};

let folder: string;
const onBroken = (...args: string[]) => finegrain(args, { cwd: folder, env: BROKEN });
const linesOf = async (file: string) =>
  (await readFile(join(folder, file), "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

beforeAll(async () => {
  ({ folder } = await folderWithText());
  await writeFile(join(folder, "study.json"), JSON.stringify(STUDY));
  const cases = [
    { name: "first", phase: "decode", model: MODEL, variants: [{ name: "dense", model: {} }], measure: MEASURE },
  ];
  await writeFile(join(folder, "suite.json"), JSON.stringify({ name: "tiny", title: "as small as it gets", cases }));
  const trained = await onBroken("train", ...DEFAULT_BACKEND, "--data", "text.txt", "--out", "run");
  expect(trained).toMatchObject({ code: 0, stderr: `${WHY}\n` });
});

test.each([
  ["train", ...DEFAULT_BACKEND, "--data", "text.txt", "--out", "another"],
  ["evaluate", "run"],
  ["generate", "run", "--prompt", "It was", "--max-tokens", "2"],
])("%s says to people and to machines why WebAssembly runs it", async (...args) => {
  const json = await onBroken(...args, "--json");
  expect(json).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(json.stdout)).toMatchObject({ backend: "wasm", fallback: WHY });
  const [command, ...rest] = args;
  if (command === "train") return; // for people it ran above, and a run's folder takes no second one
  expect((await onBroken(command!, ...rest)).stderr).toContain(`${WHY}\n`);
});

test("bench says it, in every line of its results too", async () => {
  const ended = await onBroken("bench", "suite.json", "--json", "results.jsonl");
  expect(ended).toMatchObject({ code: 0, stderr: `${WHY}\n` });
  expect(await linesOf("results.jsonl")).toMatchObject([{ backend: "wasm", fallback: WHY }]);
});

test("a study says it, in every line of its results too", async () => {
  const ended = await onBroken("study", "study.json", "--no-speed");
  expect(ended.code).toBe(0);
  expect(ended.stderr).toContain(`${WHY}\n`);
  expect(await linesOf("study.jsonl")).toMatchObject([{ backend: "wasm", fallback: WHY }]);
});

test("the demo says it first", async () => {
  const ended = await finegrain(["demo", "--out", "demo"], {
    cwd: folder,
    env: BROKEN,
    onOutput: (_, kill) => kill("SIGKILL"),
  });
  expect(ended.stderr).toBe(`${WHY}\n`);
});

test("nothing is said of a backend that was asked for", async () => {
  const asked = await onBroken("evaluate", "run", "--backend", "wasm", "--json");
  expect(asked).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(asked.stdout)).not.toHaveProperty("fallback");
  expect(await onBroken("evaluate", "run", "--backend", "onnx")).toMatchObject({ code: 1 });
});
