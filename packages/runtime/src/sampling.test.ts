import { FinegrainError } from "@finegrain/graph";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { descending } from "./descending.ts";
import { greedy, type SamplingOptions, sampler, seededRandom } from "./sampling.ts";

/** Logits of these probabilities. */
const logits = (...probabilities: number[]) => Float32Array.from(probabilities, (p) => Math.log(p));

/** How often each token is drawn when the random numbers sweep [0, 1) evenly. */
function shares(options: SamplingOptions, of: Float32Array, draws = 10_000): number[] {
  const counts = new Array<number>(of.length).fill(0);
  let k = 0;
  const sample = sampler(options, () => k++ / draws);
  for (let n = 0; n < draws; n++) counts[sample(of)]!++;
  return counts.map((count) => count / draws);
}
const expectShares = (actual: number[], expected: number[]) =>
  expected.forEach((share, token) => {
    expect(actual[token]).toBeCloseTo(share, 3);
  });

test("greedy takes the first of the most likely, and asks for no random number", () => {
  const never = () => {
    throw new Error("asked");
  };
  expect(sampler({ temperature: 0 }, never)(Float32Array.of(-3, 2, 2, -9))).toBe(1);
  expect(greedy(Float32Array.of(Number.NEGATIVE_INFINITY, -4))).toBe(1);
});

describe("probabilities", () => {
  const p = logits(0.1, 0.4, 0.2, 0.3);
  test("temperature 1 draws the softmax", () => expectShares(shares({}, p), [0.1, 0.4, 0.2, 0.3]));
  test("temperature 1/2 squares it", () =>
    expectShares(
      shares({ temperature: 0.5 }, p),
      [1, 16, 4, 9].map((w) => w / 30),
    ));
  test("top-k keeps the k most likely", () => expectShares(shares({ topK: 2 }, p), [0, 4 / 7, 0, 3 / 7]));
  test("top-k 1 is greedy", () => expectShares(shares({ topK: 1 }, p), [0, 1, 0, 0]));
  test("top-p keeps the fewest that reach p", () => {
    expectShares(shares({ topP: 0.69 }, p), [0, 4 / 7, 0, 3 / 7]);
    expectShares(shares({ topP: 0.71 }, p), [0, 4 / 9, 2 / 9, 3 / 9]);
    expectShares(shares({ topP: 1e-9 }, p), [0, 1, 0, 0]);
  });
  test("top-p counts after top-k and temperature", () => {
    expectShares(shares({ topK: 3, topP: 0.76 }, p), [0, 4 / 7, 0, 3 / 7]); // 0.4 and 0.3 are 0.78 of 0.9
    expectShares(shares({ temperature: 0.5, topP: 0.82 }, p), [0, 16 / 25, 0, 9 / 25]); // 25/30 = 0.83
  });
  test("of equals the lower index is kept", () =>
    expectShares(shares({ topK: 2 }, logits(0.25, 0.25, 0.25, 0.25)), [0.5, 0.5, 0, 0]));
  test("an impossible token is never drawn", () => {
    const of = Float32Array.of(Number.NEGATIVE_INFINITY, 0, Number.NEGATIVE_INFINITY, 0);
    expectShares(shares({}, of), [0, 0.5, 0, 0.5]);
    expectShares(shares({ topK: 4, topP: 0.99 }, of), [0, 0.5, 0, 0.5]);
  });
});

test("descending gives the order of a stable sort", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 60 }), (numbers) => {
      const values = Float32Array.from(numbers);
      const order = descending(values);
      const expected = [...values.keys()].sort((a, b) => values[b]! - values[a]! || a - b);
      expect([...expected.map(() => order.next()), order.next()]).toEqual([...expected, undefined]);
    }),
  );
});

test("a seed gives the same numbers again, from any place, and other seeds others", () => {
  const take = (n: number, random: () => number) => Array.from({ length: n }, random);
  const numbers = take(1000, seededRandom(3));
  expect(take(1000, seededRandom(3))).toEqual(numbers);
  expect(take(10, seededRandom(3, 990))).toEqual(numbers.slice(990));
  expect(seededRandom(4)()).not.toBe(numbers[0]);
  expect(seededRandom(3 + 2 ** 32)()).not.toBe(numbers[0]);
  for (const number of numbers) expect(number > 0 && number < 1).toBe(true);
  expect(numbers.reduce((a, b) => a + b) / 1000).toBeCloseTo(0.5, 1);
});

describe("wrong input gets one sentence", () => {
  const cases: [options: SamplingOptions, message: string][] = [
    [{ temperature: -1 }, "temperature must be greater than 0, or 0 for greedy, not -1"],
    [{ temperature: Number.NaN }, "temperature must be greater than 0, or 0 for greedy, not NaN"],
    [{ topK: 0 }, "top-k must be a whole number of at least 1, not 0"],
    [{ topK: 2.5 }, "top-k must be a whole number of at least 1, not 2.5"],
    [{ topP: 0 }, "top-p must be greater than 0 and at most 1, not 0"],
    [{ topP: 1.1 }, "top-p must be greater than 0 and at most 1, not 1.1"],
  ];
  test.each(cases)("%j", (options, message) => {
    expect(() => sampler(options, Math.random)).toThrow(FinegrainError);
    expect(() => sampler(options, Math.random)).toThrow(message);
  });

  test("logits that are no distribution", () => {
    const sample = sampler({ topK: 2 }, () => 0.5);
    expect(() => sample(Float32Array.of(1, Number.NaN))).toThrow("the logit of token 1 is NaN");
    expect(() => sample(Float32Array.of(Number.NaN, 1))).toThrow("the logit of token 0 is NaN");
    expect(() => sample(Float32Array.of(1, Number.POSITIVE_INFINITY))).toThrow("of token 1, is Infinity");
    expect(() => sample(new Float32Array(2).fill(Number.NEGATIVE_INFINITY))).toThrow("is -Infinity");
    expect(() => sample(new Float32Array(0))).toThrow("there are no logits");
  });
});
