import { appendFile, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { emptyFolder, finegrain, TEXT, TINY } from "./command-line.ts";

let folder: string;

beforeAll(async () => {
  folder = await emptyFolder();
});

async function trained(name: string, ...flags: string[]) {
  const cwd = join(folder, name);
  await mkdir(cwd);
  await writeFile(join(cwd, "text.txt"), TEXT);
  const ended = await finegrain(["train", ...TINY, "--data", "text.txt", "--out", "a run", ...flags], { cwd });
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  return { cwd, run: join(cwd, "a run"), ended };
}
const REFERENCE = ["--backend", "reference"];

test("a run of a relative path is found from another folder, and goes on for more steps", async () => {
  const { run } = await trained("elsewhere");
  expect(await finegrain(["evaluate", run, ...REFERENCE], { cwd: folder })).toMatchObject({ code: 0, stderr: "" });
  const done = await finegrain(["train", "--resume", run, ...REFERENCE], { cwd: folder });
  expect(done).toMatchObject({ code: 0, stderr: "" });
  expect(done.stdout).toMatch(/nothing to do: its 4 steps are done; for more: .* train --resume ".*a run" --steps 8/);
  expect(done.stdout).not.toContain("NaN");
  const more = await finegrain(["train", "--resume", run, "--steps", "6", ...REFERENCE], { cwd: folder });
  expect(more.stdout).toMatch(/going on after step 4\n(.*\n)*done: /);
  const none = await finegrain(["train", "--resume", run, "--steps", "6", ...REFERENCE]);
  expect(none).toMatchObject({ code: 1, stderr: expect.stringMatching(/more than the 6 that are done, not 6/) });
});

test("the field of a JSONL file that is its text is known to the run", async () => {
  const cwd = join(folder, "field");
  await mkdir(cwd);
  const line = (body: string) => JSON.stringify({ id: 1, body });
  await writeFile(join(cwd, "texts.jsonl"), [line(TEXT), line(TEXT)].join("\n"));
  const given = ["--data", "texts.jsonl"];
  const refused = await finegrain(["train", ...TINY, ...given, "--out", "none"], { cwd });
  expect(refused).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/:1 has no string field "text": found id, body/),
  });
  const named = [...given, "--text-field", "body"];
  expect(await finegrain(["train", ...TINY, ...named, "--out", "run"], { cwd })).toMatchObject({ code: 0, stderr: "" });
  for (const args of [
    ["train", "--resume", "run", "--steps", "6"],
    ["evaluate", "run"],
    ["evaluate", "run", ...named],
  ])
    expect(await finegrain([...args, ...REFERENCE], { cwd })).toMatchObject({ code: 0, stderr: "" });
  expect(await finegrain(["evaluate", "run", "--text-field", "body"], { cwd })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--text-field needs --data"),
  });
});

test("a text that has changed is not learned from without a word", async () => {
  const { cwd, run } = await trained("changed");
  await appendFile(join(cwd, "text.txt"), "More.");
  const go = ["train", "--resume", run, "--steps", "6", ...REFERENCE];
  const refused = await finegrain(go);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/that had 2120 bytes \(SHA-256 .*\), this has 2125 bytes/);
  expect(await finegrain([...go, "--new-data"])).toMatchObject({ code: 0, stderr: "" });
  const config = JSON.parse(await readFile(join(run, "checkpoints/step-000006/config.json"), "utf8"));
  expect(config).toMatchObject({ data: join(cwd, "text.txt"), text: { bytes: 2125 } });
});

test("the tokens of a large text are in files beside the run, made once", async () => {
  const cwd = join(folder, "large");
  await mkdir(cwd);
  const data = join(cwd, "large.txt");
  await writeFile(data, `${TEXT}\n`.repeat(Math.ceil((65 * 2 ** 20) / TEXT.length)));
  const onWasm = ["--backend", "wasm"];
  const ended = await finegrain(["train", ...TINY.slice(onWasm.length), ...onWasm, "--data", data, "--out", "run"], {
    cwd,
  });
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  const [made] = await readdir(join(cwd, "run.tokens"));
  const file = join(cwd, "run.tokens", made!, "train");
  const { size, mtimeMs } = await stat(file);
  expect(size).toBeGreaterThan(58 * 2 ** 20); // a byte for a token, and a tenth held out
  const more = await finegrain(["train", "--resume", "run", "--steps", "6", ...onWasm], { cwd });
  expect(more).toMatchObject({ code: 0, stderr: "" });
  expect((await stat(file)).mtimeMs).toBe(mtimeMs);
  await rm(cwd, { recursive: true });
});

test("what is suggested next can be typed as it stands, and begins as the text does", async () => {
  const { cwd, ended } = await trained("next");
  const next = /next: npm run finegrain -- (.*)/.exec(ended.stdout)![1];
  expect(next).toBe('generate "a run" --prompt "It was the best "');
  expect(basename(cwd)).toBe("next");
});

test("a text ends with the context and says so, or goes on in a window that slides", async () => {
  const { run } = await trained("context");
  const generate = ["generate", run, "--prompt", "It was", "-n", "30", ...REFERENCE];
  const ended = await finegrain(generate);
  expect(ended.stderr).toMatch(/the text ends with the model's context of 16 tokens; it goes on with: .*--context 16/);
  const json = JSON.parse((await finegrain([...generate, "--json"])).stdout);
  expect(json).toMatchObject({ end: "context", tokens: { length: 11 } });
  const slid = JSON.parse((await finegrain([...generate, "--context", "40", "--json"])).stdout);
  expect(slid).toMatchObject({ end: "maxTokens", tokens: { length: 30 } });
  const judged = await finegrain(["evaluate", run, "--context", "16", ...REFERENCE]);
  expect(judged.stdout).toMatch(
    /bits per byte on 212 bytes of .*: all that was held out\n[\d.]+ with a window of 16 tokens that slides: [+-]0\.\d+\n$/,
  );
});

test("an id without a token in the vocabulary is written as nothing", async () => {
  const cwd = join(folder, "holes");
  await mkdir(cwd);
  const model = { type: "BPE", vocab: { "\u2581": 0, a: 1, b: 250 }, merges: [] };
  const metaspace = { type: "Metaspace", replacement: "\u2581", prepend_scheme: "always" };
  await writeFile(join(cwd, "tokenizer.json"), JSON.stringify({ model, pre_tokenizer: metaspace, decoder: metaspace }));
  await writeFile(join(cwd, "text.txt"), "a ab a b ".repeat(60));
  const data = ["--data", "text.txt", "--tokenizer", "tokenizer.json", "--out", "run"];
  expect(await finegrain(["train", ...TINY, ...data], { cwd })).toMatchObject({ code: 0, stderr: "" });
  const flags = ["--prompt", "a ab", "-n", "40", "--temperature", "5", "--context", "16", "--json", ...REFERENCE];
  const { text, tokens } = JSON.parse((await finegrain(["generate", "run", ...flags], { cwd })).stdout);
  expect(tokens.some((id: number) => ![0, 1, 250].includes(id))).toBe(true);
  expect(text).toMatch(/^[ab ]*$/);
});

test("a run that is killed before its first checkpoint can be resumed", async () => {
  const out = join(folder, "killed");
  const text = join(folder, "killed.txt");
  await writeFile(text, TEXT);
  const flags = [...TINY, "--steps", "100000", "--checkpoint-every", "100000", "--data", text, "--out", out];
  const ended = await finegrain(["train", ...flags], {
    onOutput: (stdout, kill) => /held out\)/.test(stdout) && kill("SIGKILL"),
  });
  expect(ended.code).toBe(null);
  const unused = await finegrain(["generate", out, "--prompt", "It was", ...REFERENCE]);
  expect(unused.stderr).toMatch(/was stopped before its first checkpoint: let it learn first/);
  const config = JSON.parse(await readFile(join(out, "config.json"), "utf8"));
  config.training.steps = 3;
  await writeFile(join(out, "config.json"), JSON.stringify(config));
  const resumed = await finegrain(["train", "--resume", out, ...REFERENCE]);
  expect(resumed).toMatchObject({ code: 0, stderr: "" });
});
