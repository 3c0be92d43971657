import { cp, mkdir, readdir, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type Ended, emptyFolder, finegrain, TEXT, TINY } from "./command-line.ts";

let folder: string;
let text: string;
/** A run of the tiny model, trained. */
let run: string;

beforeAll(async () => {
  folder = await emptyFolder();
  text = join(folder, "text.txt");
  run = join(folder, "run");
  await writeFile(text, TEXT);
  const { code, stderr } = await finegrain(["train", ...TINY, "--data", text, "--out", run]);
  expect(stderr).toBe("");
  expect(code).toBe(0);
});

/** One sentence on stderr, nothing of a stack, nothing on stdout that looks like success. */
function expectSentence({ code, stderr }: Ended, expected: { code: number; says: RegExp }): void {
  expect(stderr).toMatch(expected.says);
  expect(code).toBe(expected.code);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(stderr).not.toMatch(/^\s+at |mistake in finegrain/m);
}

const newest = async (of: string) => {
  const checkpoints = join(of, "checkpoints");
  return join(checkpoints, (await readFile(join(checkpoints, "latest"), "utf8")).trim());
};
/** Every file below a folder with its content. */
async function contents(of: string): Promise<Map<string, string>> {
  const files = (await readdir(of, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const read = files.map(async ({ parentPath, name }) => {
    const path = join(parentPath, name);
    return [path, await readFile(path, "latin1")] as const;
  });
  return new Map(await Promise.all(read));
}

describe("the command line", () => {
  test.each([
    [["train", "--learning-rat", "1"], /unknown flag --learning-rat: did you mean --learning-rate\?/],
    [["train", "--frobnicate"], /unknown flag --frobnicate/],
    [["generate", "run", "--frobnicate=1"], /unknown flag --frobnicate/],
    [["evaluate", "run", "--frobnicate"], /unknown flag --frobnicate/],
    [["bench", "train-small", "--frobnicate"], /unknown flag --frobnicate/],
    [["report", "--frobnicate"], /unknown flag --frobnicate/],
    [["devices", "--frobnicate"], /unknown flag --frobnicate/],
    [["demo", "--frobnicate"], /unknown flag --frobnicate/],
    [["--frobnicate"], /unknown flag --frobnicate/],
    [["trian"], /unknown command "trian": did you mean train\?/],
    [["generate"], /RUN is missing/],
    [["devices", "extra"], /unexpected argument "extra"/],
    [["train", "--steps", "many"], /--steps must be a whole number of at least 1, not "many"/],
    [["train", "--lora", "4"], /--lora needs --init/],
    [["train", "--init", "run", "--lora-alpha", "4"], /--lora-alpha needs --lora/],
    [["train", "--model", "dense", "--block-size", "4"], /--block-size belongs to a sparse model/],
  ])("%j is refused with exit code 2", async (args, says) => {
    expectSentence(await finegrain(args), { code: 2, says });
  });

  test("a part that leaves nothing is refused before anything is read", async () => {
    const ended = await finegrain(["train", "--dropout", "1", "--steps", "2", "--out", join(folder, "none")]);
    expectSentence(ended, { code: 1, says: /dropout must be from 0 to below 1, not 1/ });
  });

  test("an unknown backend or device is refused with the known ones", async () => {
    const backend = await finegrain(["train", "--data", text, "--backend", "abacus", "--out", join(folder, "none")]);
    expectSentence(backend, {
      code: 2,
      says: /unknown backend "abacus": known are onnx, tfjs, wasm, webgpu, reference/,
    });
    const device = await finegrain(["train", "--data", text, "--device", "tpu", "--out", join(folder, "none")]);
    expectSentence(device, { code: 2, says: /backend onnx has no device "tpu": known are cpu, webgpu, cuda/ });
    expect(await readdir(folder)).not.toContain("none");
  });
});

describe("train", () => {
  const out = () => join(folder, "refused");
  const train = (...args: string[]) => finegrain(["train", ...TINY, "--data", text, "--out", out(), ...args]);

  test("a corpus shorter than one batch", async () => {
    const short = join(folder, "short.txt");
    await writeFile(short, "Too short.");
    const ended = await train("--data", short);
    expectSentence(ended, { code: 1, says: /9 tokens, fewer than one batch of 2 windows of 16 needs: 33/ });
  });

  test("a file that is not UTF-8", async () => {
    const bad = join(folder, "bad.txt");
    await writeFile(bad, Buffer.concat([Buffer.from("abc"), Buffer.from([0xff]), Buffer.from("def")]));
    expectSentence(await train("--data", bad), { code: 1, says: /bad\.txt is not UTF-8: bad byte 0xff at offset 3/ });
  });

  test("a file that is not there", async () => {
    expectSentence(await train("--data", join(folder, "no.txt")), { code: 1, says: /no file or folder .*no\.txt/ });
  });

  test("a feed-forward width that blocks do not divide", async () => {
    expectSentence(await train("--d-ff", "18"), { code: 1, says: /dFf 18 is not a multiple of .*blockSize 4/ });
  });

  test("heads that the QKV sparsity does not divide", async () => {
    const ended = await train("--attention", "sparse", "--qkv-sparsity", "4");
    expectSentence(ended, { code: 1, says: /heads 2 is not a multiple of .*modules 4/ });
  });

  test("a config file with a field that nobody knows", async () => {
    const config = join(folder, "config.json");
    await writeFile(config, JSON.stringify({ training: { stesp: 3 } }));
    expectSentence(await train("--config", config), { code: 1, says: /training has an unknown field "stesp"/ });
  });

  test("a loss that is no number, with the checkpoint before it untouched", async () => {
    const diverging = join(folder, "diverging");
    const flags = ["--schedule", "constant", "--learning-rate", "1e30", "--checkpoint-every", "1", "--clip", "0"];
    const ended = await train("--out", diverging, ...flags, "--steps", "20");
    expectSentence(ended, { code: 1, says: /loss .*(NaN|not a number|infinite).*/i });
    // What was written before it is whole.
    const generated = await finegrain(["evaluate", diverging, "--backend", "reference", "--data", text]);
    expect(generated.stderr).not.toMatch(/cut short|broken|no checkpoint/);
  });

  test("a folder that another run is in", async () => {
    const before = await contents(run);
    expectSentence(await train("--out", run), {
      code: 1,
      says: /run is not empty .*choose another folder, or resume the run/,
    });
    expect(await contents(run)).toEqual(before);
  });

  test("flags beside --resume", async () => {
    const ended = await finegrain(["train", "--resume", run, "--layers", "2"]);
    expectSentence(ended, { code: 2, says: /--layers cannot be given with --resume/ });
  });

  test("leaves nothing of a run that it refused", async () => {
    expect(await readdir(folder)).not.toContain("refused");
  });
});

describe("generate", () => {
  const generate = (...args: string[]) => finegrain(["generate", ...args, "--backend", "reference"]);

  test("an empty prompt", async () => {
    expectSentence(await generate(run, "--prompt", ""), { code: 2, says: /the prompt is empty/ });
    expectSentence(await generate(run), { code: 2, says: /the prompt is empty/ });
  });

  test("a prompt longer than the context", async () => {
    const ended = await generate(run, "--prompt", "x".repeat(40));
    expectSentence(ended, { code: 1, says: /prompt .*40 .*16/ });
  });

  test("a run that is not there", async () => {
    expectSentence(await generate(join(folder, "no-run"), "--prompt", "x"), {
      code: 1,
      says: /no checkpoint in .*no-run/,
    });
  });

  test("a checkpoint cut short", async () => {
    const cut = join(folder, "cut");
    await cp(run, cut, { recursive: true });
    await truncate(join(await newest(cut), "model.safetensors"), 3000);
    expectSentence(await generate(cut, "--prompt", "x"), { code: 1, says: /model\.safetensors .*(cut short|bytes)/ });
    expectSentence(await finegrain(["train", "--resume", cut]), { code: 1, says: /model\.safetensors/ });
  });

  test("a checkpoint of another config", async () => {
    const other = join(folder, "other");
    await cp(run, other, { recursive: true });
    const path = join(await newest(other), "config.json");
    const config = JSON.parse(await readFile(path, "utf8"));
    config.model.dFf = 32;
    await writeFile(path, JSON.stringify(config));
    expectSentence(await generate(other, "--prompt", "x"), { code: 1, says: /does not fit the model's \d+ tensors/ });
  });

  test.each([
    [["--temperature", "-1"], 2, /--temperature must be a number of at least 0, not "-1"/],
    [["--top-p", "2"], 2, /--top-p must be a number greater than 0 and at most 1, not "2"/],
    [["--min-p", "2"], 2, /--min-p must be a number of at least 0 and at most 1, not "2"/],
    [["--repetition-penalty", "0"], 2, /--repetition-penalty must be a number greater than 0, not "0"/],
    [["--log-probabilities", "2"], 2, /--log-probabilities is for --json/],
    [["--top-p", "0"], 2, /--top-p must be a number greater than 0 and at most 1, not "0"/],
    [["--stop", ""], 2, /stop sequence must not be empty/],
    [["--context", "0"], 2, /--context must be a whole number of at least 1/],
  ])("%j", async (flags, code, says) => {
    const ended = await generate(run, "--prompt", "x", ...flags);
    expectSentence(ended, { code, says });
    expect(ended.stdout).toBe("");
  });
});

describe("bench", () => {
  test("a suite that is not there", async () => {
    expectSentence(await finegrain(["bench", "no-such"]), {
      code: 1,
      says: /no suite "no-such": known are .*paper-800m/,
    });
  });
});

describe("report", () => {
  const report = (...args: string[]) => finegrain(["report", ...args, "--out", join(folder, "report")]);
  const line = async (content: string) => {
    const path = join(folder, "lines.jsonl");
    await writeFile(path, content);
    return path;
  };

  test("no file", async () => {
    expectSentence(await report(), { code: 2, says: /FILE is missing/ });
    expectSentence(await report(join(folder, "no.jsonl")), { code: 1, says: /no\.jsonl: there is no such file/ });
  });

  test.each([
    ["oops", /lines\.jsonl:2 is not JSON: .*oops/],
    ['{"hello":1}', /lines\.jsonl:2 is neither a benchmark's result nor a step of a training run/],
    ['{"suite":"x"}', /lines\.jsonl:2 is not a benchmark's result: case must be a text, and is missing/],
  ])("a line %s", async (wrong, says) => {
    expectSentence(await report(await line(`{"step":0,"loss":1}\n${wrong}\n`)), { code: 1, says });
    expect(await readdir(folder)).not.toContain("report");
  });

  test("a file where the folder should be", async () => {
    const ended = await finegrain(["report", await line('{"step":0,"loss":1}'), "--out", text]);
    expectSentence(ended, { code: 1, says: /cannot make the folder .*text\.txt: it is a file/ });
  });

  test("a page of somebody else's", async () => {
    const out = join(folder, "website");
    await mkdir(out);
    await writeFile(join(out, "index.html"), "<h1>mine</h1>");
    const ended = await finegrain(["report", await line('{"step":0,"loss":1}'), "--out", out]);
    expectSentence(ended, { code: 1, says: /index\.html is there and was not made by finegrain report/ });
    expect(await readFile(join(out, "index.html"), "utf8")).toBe("<h1>mine</h1>");
  });
});
