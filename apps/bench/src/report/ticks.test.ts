import { expect, test } from "vitest";
import { tickLabel, ticks } from "./ticks.ts";

const log = (low: number, high: number) => ({ low, high, logarithmic: true });

test("a linear axis is left to choose", () => expect(ticks({ ...log(0, 1), logarithmic: false }, 5, [0.2])).toBe(5));

test("a logarithmic axis is marked where something is", () => {
  expect(ticks(log(7e6, 6e8), 9, [64e6, 8e6, 512e6, 8e6])).toEqual([8e6, 64e6, 512e6]);
});

test("and at round numbers where that is too much or too near", () => {
  expect(ticks(log(10, 1000), 5, [100, 101])).toEqual([10, 30, 100, 300, 1000].slice(0, 5));
  expect(ticks(log(8, 1e6), 4)).toEqual([10, 1000, 1e5].slice(0, 3));
  expect(ticks(log(15, 60), 6)).toEqual([20, 30, 40, 50, 60]);
});

test.each([
  [0, "0"],
  [0.25, "0.25"],
  [20, "20"],
  [100, "100"],
  [4096, "4,096"],
  [8e6, "8M"],
  [1.5e9, "1.5B"],
])("%d is shown as %s", (value, shown) => expect(tickLabel(value)).toBe(shown));
