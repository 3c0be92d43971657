import { scalingLM } from "@finegrain/nn";
import { expect, test, vi } from "vitest";

const log = vi.spyOn(console, "log").mockImplementation(() => {});

test("a layer of one's own enters a model, is trained in it and checked like any other", async () => {
  const { powerFeedForward } = await import("../examples/own-layer.ts");
  const losses = log.mock.calls.map(([line]) => Number(/loss (.*)$/.exec(String(line))![1]));
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
