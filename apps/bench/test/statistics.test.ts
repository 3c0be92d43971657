import { describe, expect, test } from "vitest";
import { interquartile, isWide, median, quantile, ratio } from "../src/measure/statistics.ts";

describe("quantile", () => {
  test("is linear between neighbours, whatever the order", () => {
    expect(quantile([4, 1, 3, 2], 0)).toBe(1);
    expect(quantile([4, 1, 3, 2], 0.25)).toBe(1.75);
    expect(quantile([4, 1, 3, 2], 1)).toBe(4);
    expect(median([3, 1, 2])).toBe(2);
  });

  test("of one sample is the sample, of none is not a number", () => {
    expect(interquartile([7])).toEqual({ median: 7, low: 7, high: 7 });
    expect(median([])).toBeNaN();
  });
});

describe("ratio", () => {
  test("of samples that drift together is tight", () => {
    const slow = [10, 20, 15, 12, 18, 11, 19];
    const fast = slow.map((x) => x / 4);
    const spread = ratio(slow, fast);
    expect(spread.median).toBe(4);
    expect(spread.low).toBe(4);
    expect(spread.high).toBe(4);
  });

  test("has an interval around it where samples are noisy", () => {
    const spread = ratio([10, 11, 9, 12, 8], [5, 4, 6, 5.5, 4.5]);
    expect(spread.median).toBe(2);
    expect(spread.low).toBeLessThan(2);
    expect(spread.high).toBeGreaterThan(2);
  });

  test("is the same every time", () => {
    expect(ratio([1, 2, 4], [3, 1, 2])).toEqual(ratio([1, 2, 4], [3, 1, 2]));
  });
});

test("a spread is wide above a tenth of the median", () => {
  expect(isWide({ median: 10, low: 9.6, high: 10.5 })).toBe(false);
  expect(isWide({ median: 10, low: 9, high: 10.5 })).toBe(true);
});
