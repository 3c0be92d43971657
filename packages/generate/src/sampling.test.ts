import { FinegrainError } from "@finegrain/graph";
import { describe, expect, test } from "vitest";
import { checkSampling, drawKind, drawNumbers, type SamplingOptions, tokenOf } from "./sampling.ts";

describe("an option out of its range gets one sentence", () => {
  const cases: [options: SamplingOptions, message: string][] = [
    [{ temperature: -1 }, "temperature must be greater than 0, or 0 for greedy, not -1"],
    [{ temperature: Number.NaN }, "temperature must be greater than 0, or 0 for greedy, not NaN"],
    [{ topK: 0 }, "top-k must be a whole number of at least 1, not 0"],
    [{ topK: 2.5 }, "top-k must be a whole number of at least 1, not 2.5"],
    [{ topP: 0 }, "top-p must be greater than 0 and at most 1, not 0"],
    [{ topP: 1.1 }, "top-p must be greater than 0 and at most 1, not 1.1"],
  ];
  test.each(cases)("%j", (options, message) => {
    expect(() => checkSampling(options)).toThrow(FinegrainError);
    expect(() => checkSampling(options)).toThrow(message);
  });
});

test("options that come to the same share a graph", () => {
  const greedy = { greedy: true, topK: undefined, nucleus: false };
  expect(drawKind({ temperature: 0, topK: 5, topP: 0.5 }, 100)).toEqual(greedy);
  expect(drawKind({ topK: 1 }, 100)).toEqual(greedy);
  const all = { greedy: false, topK: undefined, nucleus: false };
  expect(drawKind({}, 100)).toEqual(all);
  expect(drawKind({ temperature: 0.3, topK: 100, topP: 1, seed: 9 }, 100)).toEqual(all);
  expect(drawKind({ topK: Number.POSITIVE_INFINITY }, 100)).toEqual(all);
  expect(drawKind({ topK: 99, topP: 0.5 }, 100)).toEqual({ greedy: false, topK: 99, nucleus: true });
});

test("a seed has two words", () => {
  const words = (seed: number) => [...drawNumbers({ seed }).key.data];
  expect(words(3)).toEqual([3, 0]);
  expect(words(3 + 2 ** 32)).toEqual([3, 1]);
  expect(words(-1)).toEqual([-1, -1]);
  expect([...drawNumbers({ temperature: 0.5, topP: 0.25 }).settings.data]).toEqual([0.5, 0.25]);
});

test("what is no token is an error that names the logit", () => {
  expect(tokenOf(7, 3)).toBe(7);
  expect(() => tokenOf(-8, 3)).toThrow(
    "no token can be drawn behind 3: the largest logit, of token 7, is NaN or infinite",
  );
});
