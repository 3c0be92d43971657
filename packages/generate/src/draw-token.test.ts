import { type Backend, graph, hostTensor, input, referenceBackend } from "@finegrain/graph";
import { describe, expect, test } from "vitest";
import { drawToken } from "./draw-token.ts";
import { drawInputs, drawKind, drawNumbers, type SamplingOptions } from "./sampling.ts";

/** Tokens drawn of the same logits behind 0, 1, 2, ... others. */
async function draws(
  logits: Float32Array,
  options: SamplingOptions,
  count: number,
  backend: Backend = referenceBackend(),
) {
  const kind = drawKind(options, logits.length);
  const given = [hostTensor("float32", [logits.length], logits), ...Object.values(drawNumbers(options, kind, 0))].map(
    (value) => backend.upload(value),
  );
  const [x, position] = [input([logits.length], "float32", "logits"), input([], "int32", "position")];
  const draw = drawInputs(kind);
  const program = graph({
    inputs: [x, ...Object.values(draw), ...(kind.greedy ? [] : [position])],
    outputs: [drawToken(x, kind, draw, position)],
  });
  using executable = await backend.compile(program);
  const tokens: number[] = [];
  for (let at = 0; at < count; at++) {
    const place = kind.greedy ? [] : [backend.upload(hostTensor("int32", [], [at]))];
    tokens.push((await executable.run([...given, ...place])[0]!.read()).data[0]!);
  }
  return tokens;
}

const only = async (logits: readonly number[], options: SamplingOptions = {}) =>
  (await draws(Float32Array.from(logits), options, 1))[0]!;

const DRAWS = 2000;

/** How often each token is drawn. */
async function shares(probabilities: readonly number[], options: SamplingOptions): Promise<number[]> {
  const counts = new Array<number>(probabilities.length).fill(0);
  for (const token of await draws(Float32Array.from(probabilities, Math.log), options, DRAWS)) counts[token]!++;
  return counts.map((count) => count / DRAWS);
}

/** Within three standard deviations of a share, and exactly where it is 0 or 1. */
const expectShares = (actual: readonly number[], expected: readonly number[], of = DRAWS) =>
  expected.forEach((share, token) => {
    const deviation = Math.abs(actual[token]! - share);
    expect(deviation, `token ${token} of [${actual}]`).toBeLessThanOrEqual(3 * Math.sqrt((share * (1 - share)) / of));
  });

const { NEGATIVE_INFINITY, POSITIVE_INFINITY, NaN: NAN } = Number;

test("greedy takes the first of the most likely", async () => {
  expect(await only([-3, 2, 2, -9], { temperature: 0 })).toBe(1);
  expect(await only([NEGATIVE_INFINITY, -4], { temperature: 0 })).toBe(1);
  expect(await only([1, 5, 3], { topK: 1 })).toBe(1);
});

describe("probabilities", () => {
  const p = [0.1, 0.4, 0.2, 0.3];
  const cases: [options: SamplingOptions, expected: number[]][] = [
    [{}, p],
    [{ temperature: 0.5 }, [1, 16, 4, 9].map((w) => w / 30)],
    [{ topK: 2 }, [0, 4 / 7, 0, 3 / 7]],
    [{ topK: 3, temperature: 0.5 }, [0, 16 / 29, 4 / 29, 9 / 29]],
    [{ topP: 0.69 }, [0, 4 / 7, 0, 3 / 7]],
    [{ topP: 0.71 }, [0, 4 / 9, 2 / 9, 3 / 9]],
    [{ topP: 0.91 }, p],
    [{ topP: 1e-9 }, [0, 1, 0, 0]],
    // After top-k and temperature: 0.4 and 0.3 are 0.78 of 0.9, and 25/30 is 0.83.
    [{ topK: 3, topP: 0.76 }, [0, 4 / 7, 0, 3 / 7]],
    [{ topK: 3, topP: 0.79 }, [0, 4 / 9, 2 / 9, 3 / 9]],
    [{ temperature: 0.5, topP: 0.82 }, [0, 16 / 25, 0, 9 / 25]],
    [{ topK: 2, topP: 0.5 }, [0, 1, 0, 0]],
    [{ minP: 0.51 }, [0, 4 / 7, 0, 3 / 7]],
    [{ minP: 0.49 }, [0, 4 / 9, 2 / 9, 3 / 9]],
    [{ minP: 1 }, [0, 1, 0, 0]],
    // Of 1, 16, 4 and 9 parts: 4/16 is a quarter.
    [{ temperature: 0.5, minP: 0.26 }, [0, 16 / 25, 0, 9 / 25]],
    [{ topP: 0.71, minP: 0.51 }, [0, 4 / 7, 0, 3 / 7]],
    [{ topK: 3, minP: 0.49 }, [0, 4 / 9, 2 / 9, 3 / 9]],
  ];
  test.each(cases)("%j", async (options, expected) => expectShares(await shares(p, options), expected));

  test("of equals the lower indices are kept", async () => {
    const equal = [0.25, 0.25, 0.25, 0.25];
    expectShares(await shares(equal, { topK: 2 }), [0.5, 0.5, 0, 0]);
    expectShares(await shares(equal, { topP: 0.7 }), [1 / 3, 1 / 3, 1 / 3, 0]);
    expectShares(await shares([0.2, 0.3, 0.2, 0.2, 0.1], { topP: 0.6 }), [2 / 7, 3 / 7, 2 / 7, 0, 0]);
    expectShares(await shares(equal, { topK: 3, topP: 0.5 }), [0.5, 0.5, 0, 0]);
  });

  test("an impossible token is never drawn", async () => {
    for (const options of [{}, { topP: 0.99 }, { topK: 3, topP: 0.99 }, { topK: 3 }])
      expectShares(await shares([0, 0.5, 0, 0.5], options), [0, 0.5, 0, 0.5]);
  });

  test("a temperature near 0 is greedy, and overflows nowhere", async () => {
    expect(await only([1, 88, 88.5, -1e30], { temperature: 1e-30 })).toBe(2);
    expect(await only([1, 88, 88.5, -1e30], { temperature: 1e-30, topP: 0.5 })).toBe(2);
    expect(await only([1, 88, 88.5, -1e30], { temperature: 1e-30, topK: 3, topP: 0.5 })).toBe(2);
  });
});

describe("of many tokens, which are drawn in two steps", () => {
  /** Four that are likely, two of them neighbours. The vocabularies are a power of 2, a prime and a product of odd numbers. */
  const likely = new Map([5, 70, 71, 4000].map((token, i) => [token, [0.1, 0.4, 0.2, 0.3][i]!]));
  const cases: [options: SamplingOptions, expected: number[]][] = [
    [{}, [0.1, 0.4, 0.2, 0.3]],
    [{ temperature: 0.5 }, [1, 16, 4, 9].map((w) => w / 30)],
  ];
  describe.each([4096, 4111, 4785])("%d", (vocabulary) => {
    test.each(cases)("%j", async (options, expected) => {
      const logits = Float32Array.from({ length: vocabulary }, (_, token) => Math.log(likely.get(token) ?? 0));
      const counts = new Map<number, number>();
      for (const token of await draws(logits, options, 200)) counts.set(token, (counts.get(token) ?? 0) + 1);
      expect([...counts.keys()].every((token) => likely.has(token))).toBe(true);
      expectShares(
        [...likely.keys()].map((token) => (counts.get(token) ?? 0) / 200),
        expected,
        200,
      );
    });
  });
});

test("the seed and the place decide a draw", async () => {
  const logits = new Float32Array(1000);
  const first = await draws(logits, { seed: 3 }, 20);
  expect(await draws(logits, { seed: 3 }, 20)).toEqual(first);
  expect(new Set(first).size).toBeGreaterThan(15);
  for (const seed of [4, 3 + 2 ** 32]) expect(await draws(logits, { seed }, 20)).not.toEqual(first);
});

describe("logits that are no distribution leave no token, but say which", () => {
  const kinds: SamplingOptions[] = [{ temperature: 0 }, {}, { topK: 2 }, { topP: 0.5 }, { topK: 2, topP: 0.5 }];
  test.each(kinds)("%j", async (options) => {
    expect(await only([1, NAN, 0], options)).toBe(-2);
    expect(await only([NAN, 1, 0], options)).toBe(-1);
    expect(await only([1, 2, POSITIVE_INFINITY], options)).toBe(-3);
    expect(await only([NEGATIVE_INFINITY, NEGATIVE_INFINITY, NEGATIVE_INFINITY], options)).toBeLessThan(0);
  });
});
