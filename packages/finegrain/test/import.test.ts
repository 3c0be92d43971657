import { cp, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { emptyFolder, finegrain } from "./command-line.ts";

const CASES = fileURLToPath(new URL("../../runs/test/pretrained/cases", import.meta.url));
const FOLDER = join(CASES, "llama");
const GGUF = join(CASES, "llama/model.gguf");
const BACKEND = ["--backend", "reference"];
const GREEDY = ["--prompt", "the ", "--max-tokens", "6", "--greedy", "--json", ...BACKEND];

let folder: string;
let text: string;
let run: string;
/** What the imported model writes, and how it is judged. */
const ofRun = { tokens: [] as number[], bitsPerByte: 0 };

const written = async (path: string): Promise<number[]> => {
  const generated = await finegrain(["generate", path, ...GREEDY]);
  expect(generated).toMatchObject({ code: 0, stderr: "" });
  return JSON.parse(generated.stdout).tokens;
};
const judged = async (path: string): Promise<number> => {
  const evaluated = await finegrain(["evaluate", path, "--data", text, "--json", ...BACKEND]);
  expect(evaluated).toMatchObject({ code: 0, stderr: "" });
  return JSON.parse(evaluated.stdout).bitsPerByte;
};

beforeAll(async () => {
  folder = await emptyFolder();
  text = join(folder, "text.txt");
  run = join(folder, "run");
  await writeFile(text, "the end and the beginning. ".repeat(20));
  const { code, stdout, stderr } = await finegrain(["import", GGUF, "--out", run]);
  expect(stdout).toMatch(/run: llama of \S+ parameters, 2 layers of 32, texts of up to 64 tokens/);
  expect(stderr).toMatch(/it writes with: .*generate .*run --prompt/);
  expect(code).toBe(0);
  Object.assign(ofRun, { tokens: await written(run), bitsPerByte: await judged(run) });
  expect(ofRun.tokens).toHaveLength(6);
  expect(ofRun.bitsPerByte).toBeGreaterThan(0);
});

describe("a model of others", () => {
  test.each([
    ["as a folder of transformers", FOLDER],
    ["as a GGUF file", GGUF],
  ])("%s, writes and is judged as it is when it was imported", { timeout: 120_000 }, async (_, path) => {
    expect(await written(path)).toEqual(ofRun.tokens);
    expect(await judged(path)).toBe(ofRun.bitsPerByte);
  });

  test("answers a question by its template, and shows no more than the answer", { timeout: 120_000 }, async () => {
    const model = join(folder, "with-template");
    await cp(FOLDER, model, { recursive: true });
    const template = "{% for message in messages %}{{ message.content }} {% endfor %}";
    await writeFile(join(model, "chat_template.jinja"), template);
    const answered = await finegrain(["generate", model, "--chat", "--system", "the", ...GREEDY]);
    expect(answered).toMatchObject({ code: 0, stderr: "" });
    const plain = await finegrain(["generate", model, ...GREEDY, "--prompt", "the the  "]);
    expect(JSON.parse(answered.stdout)).toMatchObject({ prompt: "the ", tokens: JSON.parse(plain.stdout).tokens });
    const shown = await finegrain(["generate", model, "--chat", ...GREEDY.filter((flag) => flag !== "--json")]);
    expect(shown.stdout).not.toMatch(/^the /);
  });

  test("is given back as a folder of transformers", { timeout: 120_000 }, async () => {
    const out = join(folder, "given-back");
    const { code, stdout, stderr } = await finegrain(["export", run, "--out", out]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(`${out}: transformers opens it`);
    expect(await written(out)).toEqual(ofRun.tokens);
    const again = await finegrain(["export", run, "--out", out]);
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining("is not empty") });
    const none = await finegrain(["export", join(folder, "none")]);
    expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining("there is no checkpoint in") });
  });

  test("learns a text of one's own", { timeout: 120_000 }, async () => {
    const out = join(folder, "own");
    const few = ["--data", text, "--steps", "2", "--batch", "2", "--length", "16", ...BACKEND];
    const trained = await finegrain(["train", "--init", run, "--out", out, ...few]);
    expect(trained).toMatchObject({ code: 0, stderr: "" });
    expect(trained.stdout).toMatch(/done: .* bits per byte held out/);
    expect(await written(out)).toHaveLength(6);
    const beside = await finegrain(["train", "--init", run, "--layers", "3", ...few]);
    expect(beside).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--layers cannot be given with --init: the model/),
    });
  });

  test("is said for machines", async () => {
    const out = join(folder, "for-machines");
    const { code, stdout, stderr } = await finegrain(["import", FOLDER, "--out", out, "--json"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(JSON.parse(stdout)).toMatchObject({ run: out, family: "llama", model: { dModel: 32, layers: 2 } });
  });

  test("goes into runs/ by its name, where nobody says another", async () => {
    const { code } = await finegrain(["import", GGUF], { cwd: folder });
    expect(code).toBe(0);
    expect(await readdir(join(folder, "runs"))).toEqual(["model"]);
  });
});

test.each([
  [() => ["import", join(folder, "none"), "--out", join(folder, "x")], /there is no model at .*none/],
  [() => ["import", text, "--out", join(folder, "x")], /text\.txt is no GGUF file: it does not begin with "GGUF"/],
  [() => ["import", FOLDER, "--out", run], /run is not empty/],
  [() => ["evaluate", FOLDER, ...BACKEND], /has no copy of the text that it was trained on, .*--data/],
  [() => ["generate", FOLDER, "--chat", ...GREEDY], /has no chat template: give its model a text to go on from/],
  [() => ["train", "--resume", run, ...BACKEND], /cannot be trained on/],
])("what cannot be is refused in one sentence", async (args, says) => {
  const { code, stdout, stderr } = await finegrain(args());
  expect(stderr).toMatch(says);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(await readdir(folder)).not.toContain("x");
});
