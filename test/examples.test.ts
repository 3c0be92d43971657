import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { initialize, scalingLM } from "@finegrain/nn";
import { saveCheckpoint } from "@finegrain/runs";
import { expect, test, vi } from "vitest";

const { argv } = process;
const log = vi.spyOn(console, "log").mockImplementation(() => {});

/** The lines that `run`, which imports an example, prints with these arguments. */
async function printed<T>(run: () => Promise<T>, ...given: string[]): Promise<[lines: string[], imported: T]> {
  log.mockClear();
  process.argv = [...argv.slice(0, 2), ...given];
  try {
    const imported = await run();
    return [log.mock.calls.map(([line]) => String(line)), imported];
  } finally {
    process.argv = argv;
  }
}

test("a layer of one's own enters a model, is trained in it and checked like any other", async () => {
  const [lines, { powerFeedForward }] = await printed(() => import("../examples/own-layer.ts"));
  const losses = lines.map((line) => Number(/loss (.*)$/.exec(line)![1]));
  expect(losses).toHaveLength(4);
  expect(losses.at(-1)).toBeLessThan(losses[0]!);

  const dimensions = { vocabulary: 8, dModel: 8, dFf: 16, layers: 1, heads: 2, maxLength: 4 };
  const own = { feedForward: [powerFeedForward] };
  const model = (power: number) => scalingLM({ ...dimensions, feedForward: { type: "power", power } }, own);
  expect(() => model(0)).toThrow("model config: feedForward.power must be a positive integer, not 0");
  expect(() => scalingLM({ ...dimensions, feedForward: { type: "power" } as never })).toThrow(
    'model config: feedForward.type must be one of dense, sparse, trax-sparse, grouped, mixture-of-tokens, expert-choice, token-choice, block-sparse, switch, not "power"',
  );
  expect(Object.keys(model(2).params.blocks["0"]!.feedForward)).toEqual(["inner", "outer"]);
});

test("devices are compared by what a graph takes on them and how far they are from the reference", async () => {
  const [lines] = await printed(() => import("../examples/compare-devices.ts"), "wasm", "reference:cpu");
  const errors = lines.map((line) => /^(\w+): \d+\.\d\d ms, largest error (.*)$/.exec(line)!.slice(1));
  expect(errors.map(([name]) => name)).toEqual(["wasm", "reference"]);
  expect(Number(errors[0]![1])).toBeLessThan(1e-4);
  expect(Number(errors[1]![1])).toBe(0);
});

test("a checkpoint is read: its config, and every tensor", async () => {
  const config = { vocabulary: 8, dModel: 8, dFf: 16, layers: 1, heads: 2, maxLength: 4 };
  const weights = initialize(scalingLM(config).params, 1);
  const folder = await mkdtemp(join(tmpdir(), "finegrain-example-"));
  try {
    await saveCheckpoint(folder, { step: 7, model: weights, optimizer: new Map(), config, state: {} });
    const [lines] = await printed(() => import("../examples/read-checkpoint.ts"), folder);
    expect(lines[0]).toBe(`${join(folder, "step-000007")}, step 7`);
    expect(lines[1]).toBe(JSON.stringify(config));
    expect(lines).toHaveLength(3 + weights.size);
    expect(lines).toContainEqual(expect.stringMatching(/^loss\.kernel {2}float32 \[8, 8\] {2}0\.\d{4}$/));
    expect(lines.at(-1)).toMatch(/^\d+ weights$/);
  } finally {
    await rm(folder, { recursive: true });
  }
});
