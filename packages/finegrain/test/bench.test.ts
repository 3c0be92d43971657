import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { emptyFolder, finegrain } from "./command-line.ts";

let folder: string;
let suite: string;
let results: string;

const MODEL = { vocabulary: 16, dModel: 8, dFf: 16, layers: 1, heads: 2, maxLength: 16 };
const SPARSE = { feedForward: { type: "sparse", blockSize: 4, rank: 2 } };
const decode = (name: string, rounds: number) => ({
  name,
  phase: "decode",
  model: MODEL,
  variants: [
    { name: "dense", model: {} },
    { name: "sparse-ff", model: SPARSE },
  ],
  measure: { prompt: 4, units: 2, rounds, warmup: 0 },
});

const writeSuite = (...cases: object[]) =>
  writeFile(suite, JSON.stringify({ name: "tiny", title: "as small as it gets", cases }));

beforeEach(async () => {
  folder = await emptyFolder();
  suite = join(folder, "tiny.json");
  results = join(folder, "results.jsonl");
  await writeSuite(decode("first", 3));
});

interface Line {
  readonly case: string;
  readonly backend: string;
  readonly variant: string;
  readonly phase: string;
  readonly context?: number;
  readonly rounds?: number;
  readonly error?: string;
  readonly tokensPerSecond?: object;
  readonly overDense?: object;
}
const lines = async (path = results): Promise<Line[]> =>
  (await readFile(path, "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

const onSoftware = { tags: "webgpu/software", timeout: 120_000 };
test("a software adapter runs where it is asked for, and is named in every result", onSoftware, async () => {
  await writeSuite(decode("first", 1));
  const ended = await finegrain(["bench", suite, "--backend", "webgpu", "--device", "software", "--json", results]);
  expect(ended).toMatchObject({ code: 0 });
  expect(ended.stdout).toMatch(/first \(decode, webgpu:.+ \(software\)\)\n/);
  const measured = await lines();
  expect(measured.map(({ variant, error }) => [variant, error])).toEqual([
    ["dense", undefined],
    ["sparse-ff", undefined],
  ]);
  for (const { backend } of measured) expect(backend).toMatch(/^webgpu:.+ \(software\)$/);
});

test("measures on one backend after the other, and keeps what was in the file", async () => {
  await writeFile(results, '{"earlier":true}\n');
  const ended = await finegrain(["bench", suite, "--backend", "reference,wasm", "--json", results]);
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  expect(ended.stdout).toMatch(/first \(decode, reference\)\nvariant .* rounds\n─.*\ndense .*\nsparse-ff /);
  expect(ended.stdout).toMatch(/first \(decode, wasm\)\n/);
  expect(ended.stdout).toMatch(/fp32 [\d.]+ .?FLOP\/s \(product of \d+ x \d+ matrices on wasm\)/);
  const [earlier, ...measured] = await lines();
  expect(earlier).toEqual({ earlier: true });
  expect(measured.map(({ backend, variant, rounds }) => [backend, variant, rounds])).toEqual([
    ["reference", "dense", 3],
    ["reference", "sparse-ff", 3],
    ["wasm", "dense", 3],
    ["wasm", "sparse-ff", 3],
  ]);
  expect(await readdir(folder)).toEqual(["results.jsonl", "tiny.json"]);
});

describe("other forms and sizes", () => {
  const prefill = { ...decode("prompt", 2), phase: "prefill" };
  const bench = (...flags: string[]) => finegrain(["bench", suite, "--backend", "reference", ...flags]);

  test("--csv prints a line of titles and one a result, with the prompt that was asked for", async () => {
    await writeSuite(decode("first, of two", 2), prefill);
    const ended = await bench("--csv", "--prompt", "6", "--json", results);
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    const [titles, ...values] = ended.stdout.trimEnd().split("\r\n");
    expect(titles).toMatch(/^suite,case,phase,backend,device,variant,tokens_per_second,/);
    expect(values).toHaveLength(4);
    expect(values[0]).toMatch(/^tiny,"first, of two, prompt 6",decode,reference,.*,dense,[\d.]+,[\d.]+,[\d.]+,1,6,/);
    expect(values[3]).toMatch(/^tiny,"prompt, prompt 6",prefill,reference,.*,sparse-ff,[\d.]+,/);
    expect((await lines()).map((line) => [line.phase, line.context])).toEqual([
      ["decode", 6],
      ["decode", 6],
      ["prefill", 6],
      ["prefill", 6],
    ]);
  });

  test("--markdown prints tables of Markdown", async () => {
    await writeSuite(prefill);
    const ended = await bench("--markdown");
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(ended.stdout).toMatch(
      /^\n### prompt \(prefill, reference\)\n\n\| variant \| tokens\/s .*\| ms to the first logits /,
    );
    expect(ended.stdout).toMatch(/\n\| dense \| [\d,.]+ \|/);
  });

  test.each([
    [["--csv", "--markdown"], "results are printed with --csv or with --markdown, not with both"],
    [["--csv", "--profile"], "--csv is for results alone: not with --profile"],
    [["--threads", "2"], "backend reference cannot be told how many threads to use: onnx and wasm can"],
  ])("%j is refused", async (flags, sentence) => {
    const ended = await bench(...flags);
    expect(ended.stderr).toContain(sentence);
    expect(ended.code).not.toBe(0);
  });
});

test("a backend that does not open is a line for every variant, and the next one is measured", async () => {
  const ended = await finegrain(["bench", suite, "--backend", "tfjs:cuda,reference", "--json", results]);
  expect(ended.code).toBe(1);
  expect(ended.stdout).toMatch(/\ntfjs:cuda does not open: .*tfjs-node-gpu/);
  const measured = await lines();
  expect(measured.map(({ backend, error }) => [backend, error === undefined])).toEqual([
    ["tfjs:cuda", false],
    ["tfjs:cuda", false],
    ["reference", true],
    ["reference", true],
  ]);
});

test("Ctrl-C keeps the cases that finished and the rounds of the one at hand", async () => {
  await writeSuite(decode("first", 2), decode("second", 1_000_000), decode("third", 2));
  let sent = false;
  const ended = await finegrain(["bench", suite, "--backend", "reference", "--json", results], {
    onOutput(stdout, kill) {
      if (sent || !/first \(decode, reference\)\n(.*\n){4}/.test(stdout)) return;
      sent = true;
      setTimeout(() => kill("SIGINT"), 4000);
    },
  });
  expect(ended.code).toBe(130);
  expect(ended.stderr).toBe("stopping after this round; Ctrl-C again stops at once\n");
  const measured = await lines();
  expect(measured.map((line) => `${line.case} ${line.variant}`)).toEqual([
    "first dense",
    "first sparse-ff",
    "second dense",
    "second sparse-ff",
  ]);
  expect(measured[2]!.rounds).toBeGreaterThan(0);
  expect(measured[3]!.rounds).toBe(measured[2]!.rounds);
  expect(ended.stdout).toMatch(/second \(decode, reference\)\n/);
});

describe("--against", () => {
  const bench = (...flags: string[]) => finegrain(["bench", suite, "--backend", "reference", ...flags]);

  /** Measured now, with other numbers in place of those that decide. */
  const earlier = async (fields: (line: Line) => object) => {
    expect(await bench("--json", results)).toMatchObject({ code: 0 });
    const changed = (await lines()).map((line) => JSON.stringify({ ...line, ...fields(line) }));
    await writeFile(results, `${changed.join("\n")}\n`);
  };
  const anything = { median: 1, low: 1e-9, high: 1e9 };

  test("says what got slower, and exits 1", async () => {
    await earlier(({ variant }) =>
      variant === "dense" ? { tokensPerSecond: anything } : { overDense: { median: 99, low: 98, high: 100 } },
    );
    const { code, stdout } = await bench("--against", results);
    expect(code).toBe(1);
    expect(stdout).toMatch(/first: dense +reference +speed .* same\n/);
    expect(stdout).toMatch(/first: sparse-ff +reference +over dense +99\.0 \(98\.0 to 100\) .* -\d.* % +slower\n/);
    expect(stdout).toMatch(/a change is one whose intervals do not overlap and that is larger than its margin/);
  });

  test("what is faster, or within the noise, exits 0", async () => {
    await earlier(({ variant }) =>
      variant === "dense" ? { tokensPerSecond: anything } : { overDense: { median: 0.02, low: 0.01, high: 0.03 } },
    );
    const { code, stdout } = await bench("--against", results);
    expect(stdout).toMatch(/first: sparse-ff .* faster\n/);
    expect(code).toBe(0);
  });

  test("the file that is compared with may be the one that is added to", async () => {
    await earlier(() => ({ tokensPerSecond: anything, overDense: anything }));
    expect(await bench("--against", results, "--json", results)).toMatchObject({ code: 0 });
    expect(await lines()).toHaveLength(4);
  });
});

describe("wrong input is refused before anything is measured", () => {
  test.each<[string[], number, RegExp]>([
    [["--backend", "reference,abacus"], 2, /unknown backend "abacus": known are onnx/],
    [["--backend", "reference:tpu"], 2, /backend reference has no device "tpu": known are cpu/],
    [["--backend", "reference,wasm", "--device", "cpu"], 2, /--device cpu is of one backend: write reference:DEVICE/],
    [["--against", "none.jsonl"], 1, /cannot read the results none\.jsonl: there is no such file/],
  ])("%j", async (flags, code, says) => {
    const ended = await finegrain(["bench", suite, "--backend", "reference", ...flags]);
    expect(ended).toMatchObject({ code, stdout: "" });
    expect(ended.stderr).toMatch(says);
    expect(ended.stderr.trim().split("\n")).toHaveLength(1);
  });

  test("a file to be compared with that has nothing of the suite", async () => {
    const machine = { cpu: "c", threads: 1, memoryBytes: 1, os: "linux", peakMemoryBytes: 1 };
    const said = { suite: "other", case: "c", phase: "decode", backend: "b", device: "d", variant: "v" };
    const line = { ...said, versions: {}, machine, error: "out of memory" };
    await writeFile(results, `${JSON.stringify(line)}\n`);
    const ended = await finegrain(["bench", suite, "--backend", "reference", "--against", results]);
    expect(ended).toMatchObject({ code: 1, stdout: "" });
    expect(ended.stderr).toMatch(/results\.jsonl has no result of the suite tiny/);
  });

  test("a file that cannot be written", async () => {
    const ended = await finegrain(["bench", suite, "--backend", "reference", "--json", join(folder, "no", "r.jsonl")]);
    expect(ended).toMatchObject({ code: 1, stdout: "" });
    expect(ended.stderr).toMatch(/^finegrain: cannot write .*r\.jsonl: ENOENT: no such file or directory\n$/);
  });
});

test("says of a peer that it has nothing of a case, and of a name that it is no peer", async () => {
  const ended = await finegrain(["bench", suite, "--backend", "reference", "--peers", "jax-js", "--json", results]);
  expect(ended.code).toBe(1);
  expect(ended.stdout).toMatch(/sparse-ff .*\npeer jax-js: has no variant of this case \(.*\)\n/);
  expect(ended.stdout).toMatch(/, memory [\d.]+ .B\/s/); // the limits are of ours
  expect((await lines()).map(({ backend }) => backend)).toEqual(["reference", "reference", "jax-js"]);
  const unknown = await finegrain(["bench", suite, "--peers", "jaxjs"]);
  expect(unknown).toMatchObject({ code: 1, stdout: "" });
  expect(unknown.stderr).toContain('there is no peer "jaxjs": known are pytorch, llama.cpp, onnxruntime, jax-js');
});
