import { referenceBackend } from "@finegrain/graph";
import { type FeedForwardConfig, initialize, type ModelConfig, scalingLM, uploadWeights } from "@finegrain/nn";
import { describe, expect, test } from "vitest";
import { heldOutBatches, trainBatches } from "./data/index.ts";
import { createEvaluator } from "./evaluator.ts";
import { adamW } from "./optimizers/index.ts";
import { createTrainer } from "./trainer.ts";

const base: ModelConfig = { vocabulary: 12, dModel: 16, dFf: 32, layers: 1, heads: 2, maxLength: 16 };
const SIZE = { batch: 4, length: 16 };
const text = Int32Array.from({ length: 400 }, (_, i) => (i * 5) % base.vocabulary);
const routers: Record<string, FeedForwardConfig> = {
  grouped: { type: "grouped", experts: 4, groupSize: 4 },
  "mixture of tokens": { type: "mixture-of-tokens", experts: 4, groupSize: 2 },
  "expert choice": { type: "expert-choice", experts: 4, zLoss: 0.01 },
  "token choice": { type: "token-choice", experts: 4 },
  "block-sparse": { type: "block-sparse", experts: 4 },
  switch: { type: "switch", experts: 4 },
};

async function train(config: ModelConfig, steps: number, accumulate = 1, tokens = text) {
  const batches = trainBatches(tokens, { ...SIZE, seed: 3 });
  const setup = {
    ...SIZE,
    backend: referenceBackend(),
    model: scalingLM(config),
    optimizer: adamW(),
    seed: 1,
    accumulate,
  };
  await using trainer = await createTrainer({ ...setup, schedule: () => 0.01 });
  const reports = [];
  for (let step = 0; step < steps; step++) reports.push(await trainer.run(batches.ofStep(step, accumulate)));
  return reports;
}

describe.each(Object.entries(routers))("%s", (_, feedForward) => {
  test("learns, and says how its experts are loaded", async () => {
    const reports = await train({ ...base, feedForward }, 12);
    expect(reports.at(-1)!.loss).toBeLessThan(reports[0]!.loss - 0.3);
    const { metrics } = reports.at(-1)!;
    expect(metrics["expertLoad.max"]).toBeGreaterThanOrEqual(1 - 1e-6);
    expect(metrics["expertLoad.min"]).toBeLessThanOrEqual(1 + 1e-6);
    expect(metrics.droppedTokens).toBeGreaterThanOrEqual(0);
    expect(metrics.droppedTokens).toBeLessThan(1);
    expect(metrics.routerEntropy).toBeGreaterThan(0);
  });
});

describe("auxiliary losses", () => {
  const of = (loadBalancing: number) =>
    train({ ...base, feedForward: { type: "token-choice", experts: 4, loadBalancing, zLoss: 0 } }, 2);

  test("are in the gradient, and not in the loss that is reported", async () => {
    const [without, balanced] = [await of(0), await of(1)];
    expect(balanced[0]!.loss).toBe(without[0]!.loss);
    expect(balanced[0]!.metrics["loss.loadBalancing"]).toBeGreaterThan(0.9);
    expect(without[0]!.metrics).not.toHaveProperty("loss.loadBalancing");
    expect(balanced[0]!.gradientNorm).not.toBe(without[0]!.gradientNorm);
    expect(balanced[1]!.loss).not.toBe(without[1]!.loss);
  });

  test("and metrics are averaged over micro-batches", async () => {
    const config: ModelConfig = { ...base, feedForward: routers["token choice"]! };
    const [[both], [first]] = [await train(config, 1, 2), await train(config, 1, 1)];
    expect(Object.keys(both!.metrics)).toEqual(Object.keys(first!.metrics));
    expect(both!.metrics["loss.loadBalancing"]).toBeGreaterThan(0.005);
    expect(both!.metrics["loss.loadBalancing"]).toBeLessThan(0.02);
  });

  test("there are none in a dense model", async () => {
    expect((await train(base, 1))[0]!.metrics).toEqual({});
  });
});

describe("a masked language model", () => {
  const masked: ModelConfig = { ...base, objective: "masked" };

  test("learns to tell what is hidden", async () => {
    // Long runs of one token, which all but the hidden places tell.
    const runs = Int32Array.from({ length: 400 }, (_, i) => Math.floor(i / 40) % base.vocabulary);
    const losses = (await train(masked, 60, 1, runs)).map(({ loss }) => loss);
    const mean = (part: readonly number[]) => part.reduce((a, b) => a + b) / part.length; // of few targets each
    expect(mean(losses.slice(0, 5))).toBeGreaterThan(1.8);
    expect(mean(losses.slice(-10))).toBeLessThan(1.3);
  });

  test("takes groups that no causal one can have", async () => {
    const feedForward: FeedForwardConfig = { type: "grouped", experts: 4, groupSize: 4, groupAlong: "time" };
    const reports = await train({ ...masked, feedForward }, 2);
    expect(reports.every(({ loss }) => Number.isFinite(loss))).toBe(true);
  });

  test("is evaluated on some of the places, always the same", async () => {
    const model = scalingLM(masked);
    await using backend = referenceBackend();
    await using evaluator = createEvaluator({ backend, model });
    const weights = uploadWeights(backend, model, initialize(model.params, 5), "float32");
    const held = [...heldOutBatches(text, SIZE)];
    const { nats, tokens } = await evaluator.evaluate(weights, held);
    const all = held.reduce((n, { count }) => n + count, 0);
    expect(tokens).toBeGreaterThan(0.05 * all);
    expect(tokens).toBeLessThan(0.3 * all);
    expect(nats / tokens).toBeGreaterThan(1);
    expect(await evaluator.evaluate(weights, held)).toEqual({ nats, tokens });
  });
});

test("evaluated as decoded, every token is a group of its own", async () => {
  const grouped = (groupSize: number): ModelConfig => ({
    ...base,
    feedForward: { type: "grouped", experts: 4, groupSize },
  });
  await using backend = referenceBackend();
  const nats = async (groupSize: number, asDecoded: boolean) => {
    const model = scalingLM(grouped(groupSize));
    await using evaluator = createEvaluator({ backend, model, asDecoded });
    const weights = uploadWeights(backend, model, initialize(model.params, 5), "float32");
    return (await evaluator.evaluate(weights, heldOutBatches(text.subarray(0, 65), SIZE))).nats;
  };
  expect(await nats(4, true)).toBe(await nats(1, false));
  expect(await nats(4, false)).not.toBe(await nats(4, true));
});
