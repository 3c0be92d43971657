import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { referenceBackend } from "@finegrain/graph";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openRun, type Run, type TrainOptions, train } from "../src/index.ts";

/** Runs of groups, which end their training as experts that each token chooses. */
const backend = referenceBackend();
const GROUPED = { type: "grouped", experts: 4, groupSize: 2 } as const;
const OPTIONS = {
  backend,
  data: "It was the best of times, it was the worst of times. ".repeat(20),
  model: { layers: 2, dModel: 8, dFf: 16, heads: 2, feedForward: GROUPED },
  training: { steps: 10, batch: 4, length: 8, evaluateEvery: 5, checkpointEvery: 3, transition: 0.4, seed: 3 },
} as const satisfies TrainOptions;
const TOKEN_CHOICE = { type: "token-choice", experts: 4, k: 2, capacityFactor: 2, bias: true };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "finegrain-stages-"));
});
afterEach(() => rm(folder, { recursive: true }));

const weightsOf = async (run: Run) =>
  Object.fromEntries([...(await run.weights())].map(([name, { data }]) => [name, [...data]] as const));

test("ends as token choice, opens as that, and decodes what it scores", async () => {
  await using run = await train({ ...OPTIONS, out: folder });
  expect(run.config.model.feedForward).toEqual(TOKEN_CHOICE);
  expect(run.step).toBe(10);
  expect(run.outcome).toMatchObject({ interrupted: false, step: 10 });
  await using opened = await openRun(folder, { backend });
  expect(opened.config.model.feedForward).toEqual(TOKEN_CHOICE);
  const { bitsPerByte } = await opened.evaluate(OPTIONS.data);
  const asDecoded = await opened.evaluate(OPTIONS.data, { asDecoded: true });
  expect(Math.abs(asDecoded.bitsPerByte / bitsPerByte - 1)).toBeLessThan(0.01);
  expect(await opened.train({ steps: 11, data: OPTIONS.data })).toMatchObject({ step: 11 });
});

test.each([1, 6, 8])(
  "interrupted after step %i it goes on as if it had not been",
  async (at) => {
    await using whole = await train(OPTIONS);
    const interrupt = new AbortController();
    const out = join(folder, `${at}`);
    const onStep = ({ step }: { readonly step: number }) => step === at && interrupt.abort();
    const stopped = await train({ ...OPTIONS, out, signal: interrupt.signal, onStep });
    expect(stopped.step).toBe(at);
    await using run = await train({ backend, resume: out, data: OPTIONS.data });
    const expected = await weightsOf(whole);
    const resumed = await weightsOf(run);
    expect(Object.keys(resumed).sort()).toEqual(Object.keys(expected).sort());
    // Checkpoints are in float32, in which this backend does not compute.
    for (const [name, values] of Object.entries(expected))
      for (const [i, value] of values.entries()) expect(resumed[name]![i], name).toBeCloseTo(value, 5);
  },
  60_000,
);

test("starts as it was asked to, tells of its start once, and stays so without a transition", async () => {
  const starts: unknown[] = [];
  const training = { ...OPTIONS.training, steps: 2, transition: 0 };
  await using run = await train({
    ...OPTIONS,
    training,
    onStart: ({ model }) => starts.push(model.config.feedForward),
  });
  expect(run.config.model.feedForward).toEqual(GROUPED);
  await train({ ...OPTIONS, onStart: ({ model }) => starts.push(model.config.feedForward) });
  expect(starts).toEqual([GROUPED, GROUPED]);
});

test("a mixture ends so too where a router can be made of its controller", async () => {
  const feedForward = { type: "mixture-of-tokens", experts: 4, groupSize: 4 } as const;
  const { transition: _, ...training } = OPTIONS.training;
  const options = { ...OPTIONS, training: { ...training, steps: 10 } };
  await using run = await train({ ...options, model: { ...OPTIONS.model, feedForward } });
  expect(run.config).toMatchObject({
    model: { feedForward: { type: "token-choice", k: 1 } },
    training: { transition: 0.1 },
  });
  const separate = { ...feedForward, controllers: "separate" } as const;
  await using other = await train({ ...options, model: { ...OPTIONS.model, feedForward: separate } });
  expect(other.config.model.feedForward).toEqual(separate);
  expect(other.config.training).not.toHaveProperty("transition");
});
