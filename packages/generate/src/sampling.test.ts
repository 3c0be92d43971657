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
    [{ minP: -0.1 }, "min-p must be from 0 to 1, not -0.1"],
    [{ repetitionPenalty: 0 }, "the repetition penalty must be greater than 0, not 0"],
    [{ presencePenalty: Number.NaN }, "the presence penalty must be a number, not NaN"],
    [{ logProbabilities: 1.5 }, "the most likely tokens to tell must be a whole number, not 1.5"],
  ];
  test.each(cases)("%j", (options, message) => {
    expect(() => checkSampling(options)).toThrow(FinegrainError);
    expect(() => checkSampling(options)).toThrow(message);
  });
});

test("options that come to the same share a graph", () => {
  const none = { topK: undefined, nucleus: false, minP: false, penalties: false, likely: undefined };
  const greedy = { ...none, greedy: true };
  expect(drawKind({ temperature: 0, topK: 5, topP: 0.5 }, 100)).toEqual(greedy);
  expect(drawKind({ topK: 1 }, 100)).toEqual(greedy);
  const all = { ...none, greedy: false };
  expect(drawKind({}, 100)).toEqual(all);
  expect(drawKind({ temperature: 0.3, topK: 100, topP: 1, seed: 9 }, 100)).toEqual(all);
  expect(drawKind({ topK: Number.POSITIVE_INFINITY }, 100)).toEqual(all);
  expect(drawKind({ repetitionPenalty: 1, presencePenalty: 0, minP: 0 }, 100)).toEqual(all);
  expect(drawKind({ topK: 99, topP: 0.5 }, 100)).toEqual({ ...all, topK: 99, nucleus: true });
  expect(drawKind({ temperature: 0, minP: 0.1, presencePenalty: 1, logProbabilities: 200 }, 100)).toEqual({
    ...greedy,
    penalties: true,
    likely: 100,
  });
});

test("numbers are those that the kind of draw takes, and a seed has two words", () => {
  const numbers = (options: SamplingOptions) => drawNumbers(options, drawKind(options, 100), 7);
  const words = (seed: number) => [...numbers({ seed }).key!.data];
  expect(words(3)).toEqual([3, 0]);
  expect(words(3 + 2 ** 32)).toEqual([3, 1]);
  expect(words(-1)).toEqual([-1, -1]);
  expect([...numbers({ temperature: 0.5, topP: 0.25, minP: 0.125 }).settings!.data]).toEqual([0.5, 0.25, 0.125]);
  expect(numbers({ temperature: 0 })).toEqual({});
  const { penalties, promptEnd } = numbers({ temperature: 0, repetitionPenalty: 2, presencePenalty: -1 });
  expect([...penalties!.data, ...promptEnd!.data]).toEqual([2, -1, 7]);
});

test("what is no token is an error that names the logit", () => {
  expect(tokenOf(7, 3)).toBe(7);
  expect(() => tokenOf(-8, 3)).toThrow(
    "no token can be drawn behind 3: the largest logit, of token 7, is NaN or infinite",
  );
});
