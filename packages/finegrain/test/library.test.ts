import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { openBackend, openRun, type Run, readText, train } from "../src/index.ts";
import { emptyFolder, finegrain, TEXT, TINY } from "./command-line.ts";

let folder: string;
let text: string;
let tokenizer: string;

beforeAll(async () => {
  folder = await emptyFolder();
  text = join(folder, "text.txt");
  tokenizer = join(folder, "letters.json");
  await writeFile(text, TEXT);
  await writeFile(tokenizer, letters());
});

/** A tokenizer.json of single letters. */
function letters(): string {
  const vocab = Object.fromEntries([...new Set(TEXT)].map((letter, i) => [letter, i]));
  const empty = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: { type: "Fuse" } };
  return JSON.stringify({ added_tokens: [], ...empty, model: { type: "BPE", vocab, merges: [] } });
}

const REFERENCE = ["--backend", "reference"];
const GREEDY = ["--prompt", "It was", "--max-tokens", "5", "--greedy", "--json"];

async function greedy(run: Run): Promise<string> {
  let all = "";
  for await (const piece of run.generate("It was", { maxTokens: 5, temperature: 0 })) all += piece.text;
  return all;
}

test.each(["byte", "tokenizer.json"])("what the library trained the command opens, with %s", async (kind) => {
  await using backend = await openBackend({ name: "reference" });
  const out = join(folder, `library-${kind}`);
  const data = await readText(text);
  const abort = new AbortController();
  const run = await train({
    ...{ backend, out, data, signal: abort.signal, tokenizer: kind === "byte" ? "byte" : tokenizer },
    model: { layers: 1, dModel: 8, dFf: 16, heads: 2, feedForward: { type: "sparse", blockSize: 4 } },
    training: { steps: 6, batch: 2, length: 16 },
    onStep: ({ step }) => {
      if (step === 3) abort.abort();
    },
  });
  expect(run.outcome).toMatchObject({ step: 3, interrupted: true });

  const generated = await finegrain(["generate", out, ...REFERENCE, ...GREEDY]);
  expect(generated).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(generated.stdout).text).toBe(await greedy(run));
  const evaluated = await finegrain(["evaluate", out, ...REFERENCE, "--json"]);
  expect(JSON.parse(evaluated.stdout).bitsPerByte).toBeCloseTo((await run.evaluate()).bitsPerByte, 6);
  const resumed = await finegrain(["train", "--resume", out, ...REFERENCE, "--json"]);
  expect(resumed).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(resumed.stdout)).toMatchObject({ folder: out, step: 6, interrupted: false });
});

test.each(["byte", "tokenizer.json"])("what the command trained the library opens, with %s", async (kind) => {
  const out = join(folder, `command-${kind}`);
  const flags = ["--data", text, "--out", out, "--tokenizer", kind === "byte" ? "byte" : tokenizer];
  expect(await finegrain(["train", ...TINY, ...flags])).toMatchObject({ code: 0, stderr: "" });
  await using backend = await openBackend({ name: "reference" });
  await using run = await openRun(out, { backend });
  expect(run).toMatchObject({ step: 4, path: out });
  const generated = await finegrain(["generate", out, ...REFERENCE, ...GREEDY]);
  expect(await greedy(run)).toBe(JSON.parse(generated.stdout).text);
  const evaluated = await finegrain(["evaluate", out, ...REFERENCE, "--json"]);
  expect((await run.evaluate()).bitsPerByte).toBeCloseTo(JSON.parse(evaluated.stdout).bitsPerByte, 6);
  expect(await run.train({ steps: 6 })).toMatchObject({ step: 6, interrupted: false });
});
