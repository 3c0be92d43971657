import { cachedAttention, graph, input } from "@finegrain/graph";
import { expect, test } from "vitest";
import { meanTokens, stepBytes } from "../src/cases/decode-case.ts";

test("a decode step has to read of its caches what they are filled with", () => {
  const [q, k, v] = [input([1, 2, 1, 4]), input([1, 2, 8, 4]), input([1, 2, 8, 4])];
  const position = input([], "int32");
  const step = graph({
    name: "step",
    inputs: [q, k, v, position],
    outputs: [cachedAttention(q, k, v, position, { scale: 1 })],
  });
  const [query, token] = [4 * 8 + 4, 4 * 2 * 8];
  expect(stepBytes(step, 3)).toBe(query + 3 * token);
  expect(stepBytes(step, 8)).toBe(query + 8 * token);
  expect(stepBytes(step, 9)).toBe(query + 8 * token);
});

test("tokens behind a prompt are seen from the first of them on", () => {
  expect(meanTokens({ prompt: 16, units: 1 })).toBe(17);
  expect(meanTokens({ prompt: 16, units: 3 })).toBe(18);
});
