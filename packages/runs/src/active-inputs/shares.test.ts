import { expect, test } from "vitest";
import { cheapestShares, type InputFacts, STEPS, shareOfWeights } from "./shares.ts";

const facts = (lossAtHalf: number, weights = 100): InputFacts => ({
  weights,
  lossAtHalf,
  energy: Array.from({ length: STEPS + 1 }, (_, n) => (n / STEPS) ** 3),
});

test("no loss leaves all inputs whole, and any loss leaves something of each", () => {
  expect(cheapestShares([facts(1), facts(2)], 0)).toEqual([1, 1]);
  for (const share of cheapestShares([facts(1), facts(2)], 1e9)) expect(share).toBeCloseTo(0.1);
});

test("what costs least for the weights that it spares is left out first, and the sum stays within the loss", () => {
  const inputs = [facts(1), facts(20), facts(1, 1000)];
  const shares = cheapestShares(inputs, 1);
  expect(shares[2]).toBeLessThan(shares[0]!);
  expect(shares[0]).toBeLessThan(shares[1]!);
  const losses = shares.map((share, i) => inputs[i]!.lossAtHalf * ((1 - share) / 0.5) ** 3);
  expect(losses.reduce((a, b) => a + b)).toBeLessThanOrEqual(1);
  expect(shareOfWeights(inputs, [0.5, 0.5, 1])).toBeCloseTo(1100 / 1200);
});
