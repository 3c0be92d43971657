import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { byteTokenizer, createGenerator } from "@finegrain/generate";
import { FinegrainError, mul, referenceBackend } from "@finegrain/graph";
import {
  defineFeedForward,
  initialize,
  type Layer,
  type ModelConfig,
  ones,
  type Param,
  param,
  scalingLM,
} from "@finegrain/nn";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openRun, type Run, readText, saveCheckpoint, type TrainOptions, train } from "../src/index.ts";

const TEXT = "It was the best of times, it was the worst of times. ".repeat(20);
const backend = referenceBackend();
const TINY = {
  backend,
  data: TEXT,
  model: { layers: 1, dModel: 8, dFf: 16, heads: 2, feedForward: { type: "sparse", blockSize: 4 } },
  training: { steps: 4, batch: 2, length: 8, evaluateEvery: 2, checkpointEvery: 2, seed: 3 },
} as const satisfies TrainOptions;
const { data: _, ...OPTIONS } = TINY;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "finegrain-run-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function written(run: Run, prompt = "It "): Promise<string> {
  let text = "";
  for await (const piece of run.generate(prompt, { maxTokens: 4, temperature: 0 })) text += piece.text;
  return text;
}
const fails = async (promise: Promise<unknown>, message: string | RegExp) => {
  await expect(promise).rejects.toThrow(FinegrainError);
  await expect(promise).rejects.toThrow(message);
};

describe("a run in memory", () => {
  test("tells what happens, is judged, writes and learns on", async () => {
    const heard: string[] = [];
    await using run = await train({
      ...TINY,
      onStart: ({ corpus, step, folder }) => heard.push(`start ${step} ${corpus.train.length} ${folder}`),
      onStep: ({ step, steps }) => heard.push(`step ${step}/${steps}`),
      onEvaluation: ({ step }) => heard.push(`evaluation ${step}`),
      onCheckpoint: ({ step }) => heard.push(`checkpoint ${step}`),
    });
    expect(heard).toEqual([
      "start 0 954 undefined",
      ...["step 1/4", "step 2/4", "evaluation 2", "checkpoint 2"],
      ...["step 3/4", "step 4/4", "evaluation 4", "checkpoint 4"],
    ]);
    expect(run).toMatchObject({ step: 4, path: undefined, outcome: { interrupted: false } });
    const { bitsPerByte, bytes } = await run.evaluate();
    expect(bytes).toBe(106);
    expect(bitsPerByte).toBeCloseTo(run.bitsPerByte!, 5);
    expect((await run.evaluate(TEXT)).bytes).toBe(TEXT.length);
    const before = await written(run);
    expect(byteTokenizer().encode(before).length).toBeGreaterThan(0);
    expect((await run.train({ steps: 6 })).step).toBe(6);
    expect(run.config.training.steps).toBe(6);
    expect((await run.evaluate()).bitsPerByte).not.toBe(bitsPerByte);
  });

  test("an abort ends it with a checkpoint, before the first step too", async () => {
    await using run = await train({ ...TINY, signal: AbortSignal.abort() });
    expect(run).toMatchObject({ step: 0, outcome: { interrupted: true } });
    expect((await run.weights()).size).toBeGreaterThan(0);
    expect(await run.train()).toMatchObject({ step: 4, interrupted: false });
  });
});

test("a run is trained by one training at a time, and is of use after a second was refused", async () => {
  const out = join(folder, "run");
  await using run = await train({ ...TINY, out });
  const first = run.train({ steps: 8 });
  await fails(run.train({ steps: 8 }), "this run is being trained");
  expect(await first).toMatchObject({ interrupted: false });
  await run.train({ steps: 10 });
  expect(run.step).toBe(10);
});

describe("a run folder", () => {
  const out = () => join(folder, "run");

  test("is opened as the run that made it", async () => {
    const path = join(folder, "text.txt");
    await writeFile(path, TEXT);
    await using run = await train({ ...OPTIONS, data: await readText(path), out: out() });
    expect((await readdir(out())).sort()).toEqual(["checkpoints", "config.json", "metrics.jsonl"]);
    await using opened = await openRun(out(), { backend });
    expect(opened).toMatchObject({ step: 4, path: out(), bitsPerByte: run.bitsPerByte, outcome: undefined });
    expect(opened.config).toEqual(run.config);
    expect(opened.config).toMatchObject({ data: path, tokenizer: "byte", text: { bytes: TEXT.length } });
    expect(await written(opened)).toBe(await written(run));
    expect(await opened.evaluate()).toEqual(await run.evaluate());
  });

  test("that was interrupted goes on as if it had not been", async () => {
    const whole = await train({ ...TINY, out: join(folder, "whole") });
    const abort = new AbortController();
    const onStep = ({ step }: { readonly step: number }) => step === 2 && abort.abort();
    const stopped = await train({ ...TINY, out: out(), signal: abort.signal, onStep: (step) => void onStep(step) });
    expect(stopped).toMatchObject({ step: 2, outcome: { interrupted: true } });
    const resumed = await train({ backend, resume: out(), data: TEXT });
    expect(resumed).toMatchObject({ step: 4, outcome: { interrupted: false } });
    const losses = async (of: string) =>
      (await readFile(join(of, "metrics.jsonl"), "utf8")).match(/"loss":[\d.]+/g)!.map((loss) => Number(loss.slice(7)));
    const expected = await losses(join(folder, "whole"));
    for (const [i, loss] of (await losses(out())).entries()) expect(loss).toBeCloseTo(expected[i]!, 5);
    expect(resumed.bitsPerByte).toBeCloseTo(whole.bitsPerByte!, 5);
  });

  test("has no copy of a text that a program gave, and says so", async () => {
    const { outcome } = await train({ ...TINY, out: out() });
    expect(outcome!.bitsPerByte).toBeGreaterThan(0);
    const opened = await openRun(out(), { backend });
    await fails(opened.evaluate(), /has no copy of the text that it was trained on/);
    await fails(train({ backend, resume: out() }), /has no copy of the text that it was trained on/);
    expect((await opened.evaluate(TEXT)).bytes).toBe(TEXT.length);
  });

  test("keeps a copy of the tokenizer.json", async () => {
    const json = join(folder, "tokenizer.json");
    await writeFile(json, JSON.stringify(WORDS));
    const data = "a ab a b ".repeat(60);
    const run = await train({ ...TINY, data, tokenizer: json, out: out() });
    expect(run.config.model.vocabulary).toBe(4);
    await rm(json);
    await using opened = await openRun(out(), { backend });
    expect(opened.tokenizer.vocabularySize).toBe(4);
    expect(await written(opened, "a ab")).toBe(await written(run, "a ab"));
    const alone = join(folder, "alone");
    await cp(join(out(), "checkpoints", "step-000004"), alone, { recursive: true });
    await using copied = await openRun(alone, { backend });
    expect(await written(copied, "a ab")).toBe(await written(run, "a ab"));
  });

  test("keeps the best checkpoint beside the last, and says where", async () => {
    const schedule = { kind: "cosine", rate: 1, warmup: 6, steps: 9, floor: 0 } as const; // too high soon
    const training = { ...TINY.training, steps: 8, evaluateEvery: 1, checkpointEvery: 1, schedule };
    const found: { step: number; bitsPerByte: number }[] = [];
    const { outcome } = await train({ ...TINY, training, out: out(), onEvaluation: (one) => found.push(one) });
    const best = found.toSorted((a, b) => a.bitsPerByte - b.bitsPerByte)[0]!;
    expect(best.step).toBeLessThan(5); // or it would be among the last three anyway
    expect(outcome!.best).toEqual(best);
    const steps = [best.step, 6, 7, 8].map((step) => `step-00000${step}`);
    const checkpoints = join(out(), "checkpoints");
    expect((await readdir(checkpoints)).sort()).toEqual(["best", "latest", ...steps]);
    await using opened = await openRun(join(checkpoints, "best"), { backend });
    expect(opened).toMatchObject(best);
    expect((await train({ backend, resume: out(), data: TEXT, training: { steps: 9 } })).outcome!.best).toEqual(best);
  });

  test("begins again where it was stopped before its first checkpoint, as if it had not been", async () => {
    const whole = await train({ ...TINY, out: join(folder, "whole") });
    await cp(join(folder, "whole"), out(), { recursive: true });
    await rm(join(out(), "checkpoints"), { recursive: true });
    await fails(openRun(out(), { backend }), /was stopped before its first checkpoint: let it learn first/);
    const resumed = await train({ backend, resume: out(), data: TEXT });
    expect(await resumed.weights()).toEqual(await whole.weights());
    const lines = async (of: string) => (await readFile(join(of, "metrics.jsonl"), "utf8")).split("\n").length;
    expect(await lines(out())).toBe(await lines(join(folder, "whole")));
  });

  test("learns on from the text that it knows, and from another where that is said", async () => {
    const path = join(folder, "text.txt");
    await writeFile(path, TEXT);
    await train({ ...OPTIONS, data: await readText(path), out: out() });
    await writeFile(path, `${TEXT} `);
    const says = /text\.txt is not the text that this run learned from: that had 1060 bytes .*, this has 1061 bytes/;
    const training = { steps: 6 };
    await fails(train({ backend, resume: out(), training }), says);
    await fails((await openRun(out(), { backend })).evaluate(), says);
    await train({ backend, resume: out(), training, data: TEXT }); // the same by another name
    const { config } = await train({ backend, resume: out(), training: { steps: 8 }, newData: true });
    expect(config).toMatchObject({ data: path, text: { bytes: 1061 }, training: { steps: 8 } });
    expect((await train({ backend, resume: out() })).outcome).toMatchObject({ step: 8, tokensPerSecond: undefined });
    await fails(train({ backend, resume: out(), training }), /steps must be .* more than the 8 that are done, not 6/);
  });

  test("is never made over another", async () => {
    await writeFile(join(folder, "mine"), "");
    await fails(train({ ...TINY, out: folder }), /is not empty \(1 entries\): choose another folder/);
  });
});

/** A tokenizer of four tokens. */
const WORDS = {
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: { type: "Metaspace", replacement: "▁", add_prefix_space: true },
  post_processor: null,
  decoder: { type: "Metaspace", replacement: "▁", add_prefix_space: true },
  model: { type: "BPE", vocab: { "▁": 0, a: 1, b: 2, "▁a": 3 }, merges: [["▁", "a"]] },
};

describe("a text longer than the context", () => {
  test("is judged in windows that slide as it is written", async () => {
    await using run = await train({ ...TINY, model: { ...TINY.model, positions: "rotary" } });
    const tokens = byteTokenizer().encode(TEXT.slice(0, 40));
    await using generator = await createGenerator({ backend, model: run.model, weights: await run.weights() });
    let nats = 0;
    for (let count = 1; count < tokens.length; count++) {
      using session = generator.start();
      const start = Math.max(0, Math.ceil((count - 6) / 3)) * 3;
      const logits = await session.prefill(tokens.subarray(start, count));
      nats += Math.log(logits.reduce((sum, x) => sum + Math.exp(x), 0)) - logits[tokens[count]!]!;
    }
    const judged = await run.evaluate(TEXT.slice(0, 40), { context: 6 });
    expect(judged.tokens).toBe(39);
    expect(judged.natsPerToken).toBeCloseTo(nats / 39, 4);
  });

  test("is written and judged in longer windows than the model learned in, where positions have no weights", async () => {
    await using run = await train({ ...TINY, model: { ...TINY.model, positions: "rotary" } });
    expect((await run.evaluate(TEXT, { context: 32 })).bitsPerByte).toBeGreaterThan(0);
    let count = 0;
    for await (const _ of run.generate(TEXT, { context: 32, maxTokens: 40 })) count++;
    expect(count).toBe(40);
    await using learned = await train({ ...TINY, model: { ...TINY.model, positions: "learned" } });
    await fails(learned.evaluate(TEXT, { context: 9 }), /context of 9 tokens is more than the 8 .* learned positions/);
    expect((await learned.evaluate(TEXT, { context: 8 })).bitsPerByte).toBeGreaterThan(0);
  });
});

describe("a checkpoint that saveCheckpoint wrote by itself", () => {
  const config: ModelConfig = { vocabulary: 256, dModel: 8, dFf: 16, layers: 1, heads: 2, maxLength: 16 };
  const save = (saved: unknown) => {
    const model = initialize(scalingLM(config).params, 1);
    return saveCheckpoint(folder, { step: 1, model, optimizer: new Map(), config: saved, state: {} });
  };

  test.each([
    ["the model's config", config],
    ["it as `model`", { model: config, note: "mine" }],
  ])("opens where its config is %s", async (_, saved) => {
    await save(saved);
    await using run = await openRun(folder, { backend });
    expect((await written(run)).length).toBeGreaterThan(0);
    expect((await run.evaluate(TEXT)).bitsPerByte).toBeGreaterThan(0);
    await fails(run.train({ data: TEXT }), /its config does not say how it was trained/);
  });

  test("is refused in a sentence where its config is anything else", async () => {
    await save({ seed: 1 });
    await fails(openRun(folder, { backend }), /does not say what the model is/);
  });
});

test.each([
  [{ training: { stesp: 3 } }, /training has an unknown field "stesp"/],
  [{ training: { steps: 0 } }, /training\.steps must be a whole number of at least 1, not 0/],
  [{ training: { learningRate: 1, schedule: { kind: "constant", rate: 1 } } }, /both a schedule and a learningRate/],
  [{ model: { vocabulary: 100 } }, /the tokenizer byte has 256 tokens, more than the model's vocabulary of 100/],
  [{ data: "my.txt" }, /6 tokens, fewer than one batch|5 tokens, fewer than one batch/],
  [{ resume: "runs/a", model: {} }, /model cannot be given with resume/],
  [{ resume: "runs/a", training: { batch: 2 } }, /training\.batch cannot be given with resume/],
])("%j is refused", async (options, message) => {
  await fails(train({ backend, data: TEXT, ...options } as TrainOptions), message); // as JavaScript would give it
});

test("layers of one's own are trained, and opened again where they are given", async () => {
  const scaled = defineFeedForward({
    name: "scaled",
    summary: "every feature times a weight of its own",
    causality: "yes",
    decoding: "the same",
    options: {},
    build: ({ dModel }): Layer<{ scale: Param }> => ({
      params: { scale: param([dModel], ones) },
      apply: (w, x) => mul(x, w.scale),
    }),
    cases: [{ options: {} }],
  });
  const layers = { feedForward: [scaled] };
  const out = join(folder, "own");
  const model = { ...TINY.model, feedForward: { type: "scaled" } } as const;
  await using run = await train({ ...TINY, out, layers, model });
  expect([...(await run.weights()).keys()]).toContain("blocks.0.feedForward.scale");
  await using opened = await openRun(out, { backend, layers });
  expect(await written(opened)).toBe(await written(run));
  await using further = await train({ backend, resume: out, layers, data: TEXT });
  expect(further.step).toBe(4);
  await fails(openRun(out, { backend }), /feedForward.type must be one of dense, .*, not "scaled"/);
});
