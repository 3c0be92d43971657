import { FinegrainError } from "@finegrain/graph";
import { describe, expect, test } from "vitest";
import { heldOutBatches, trainBatches } from "./batches.ts";
import { permutation } from "./permutation.ts";

const tokens = (n: number) => Int32Array.from({ length: n }, (_, k) => k);

describe("permutation", () => {
  test.each([1, 2, 3, 5, 16, 17, 100, 1023, 4097])("of %i is one", (size) => {
    const image = Array.from({ length: size }, (_, k) => permutation(size, 1, 0)(k));
    expect(image.sort((a, b) => a - b)).toEqual([...tokens(size)]);
  });

  test("differs between epochs and seeds, and moves every index somewhere about evenly", () => {
    const size = 1000;
    const order = (seed: number, epoch: number) => [...tokens(size)].map(permutation(size, seed, epoch));
    expect(order(1, 0)).toEqual(order(1, 0));
    const fixed = (a: number[], b: number[]) => a.filter((v, k) => v === b[k]).length;
    expect(fixed(order(1, 0), order(1, 1))).toBeLessThan(10);
    expect(fixed(order(1, 0), order(2, 0))).toBeLessThan(10);
    expect(fixed(order(1, 0), order(1 + 2 ** 32, 0))).toBeLessThan(10);
    // The mean image of the first half is near the middle: 500 +- 5 standard deviations of 9.1.
    const mean =
      order(3, 0)
        .slice(0, 500)
        .reduce((a, b) => a + b) / 500;
    expect(Math.abs(mean - 499.5)).toBeLessThan(46);
  });
});

describe("train batches", () => {
  const make = (n: number, seed = 7) => trainBatches(tokens(n), { batch: 4, length: 10, seed });

  test("are windows of consecutive tokens", () => {
    const { dtype, shape, data } = make(1000).at(3);
    expect([dtype, shape]).toEqual(["int32", [4, 11]]);
    for (let row = 0; row < 4; row++) {
      for (let t = 1; t <= 10; t++) expect(data[row * 11 + t]).toBe(data[row * 11]! + t);
    }
  });

  test("an epoch has every window once, and no two share a target", () => {
    const batches = make(1000);
    expect(batches.windows).toBe(99);
    const targets = new Set<number>();
    for (let step = 0; step < 25; step++) {
      const { data } = batches.at(step);
      for (let row = 0; row < 4 && step * 4 + row < 99; row++) {
        for (let t = 1; t <= 10; t++) targets.add(data[row * 11 + t]!);
      }
    }
    expect(targets.size).toBe(990);
    expect([batches.epoch(24), batches.epoch(25)]).toEqual([0, 1]);
  });

  test("any step can be asked for, in any order, of any instance", () => {
    const forward = Array.from({ length: 60 }, (_, step) => make(1000).at(step).data);
    const backward = make(1000);
    for (let step = 59; step >= 0; step--) expect(backward.at(step).data).toEqual(forward[step]);
    expect(make(1000, 8).at(0).data).not.toEqual(forward[0]);
    expect(forward[25]).not.toEqual(forward[0]); // the next epoch is in another order
  });

  test("exactly one batch of tokens is enough", () => {
    expect([...make(41).at(0).data].filter((_, k) => k % 11 === 0).sort((a, b) => a - b)).toHaveLength(4);
    expect(() => make(40)).toThrow(FinegrainError);
    expect(() => make(40)).toThrow(
      "the training text has 40 tokens, fewer than one batch of 4 windows of 10 needs: 41",
    );
    expect(() => trainBatches(tokens(99), { batch: 0, length: 10, seed: 0 })).toThrow("batch must be a whole number");
  });
});

describe("held-out batches", () => {
  const sizes = [2, 7, 11, 12, 40, 41, 42, 81, 95].flatMap((n) => [0, 3, 5, 9].map((overlap) => [n, overlap] as const));
  test.each(sizes)("of %i tokens that overlap by %i have every target once, in order", (n, overlap) => {
    const targets: number[] = [];
    for (const batch of heldOutBatches(tokens(n), { batch: 4, length: 10, overlap })) {
      const { tokens: window, mask, count } = batch;
      expect([window.shape, mask.shape]).toEqual([
        [4, 11],
        [4, 10],
      ]);
      const before = targets.length;
      for (let row = 0; row < 4; row++) {
        for (let t = 0; t < 10; t++) {
          if (mask.data[row * 10 + t] === 0) continue;
          expect(window.data[row * 11 + t + 1]).toBe(window.data[row * 11 + t]! + 1);
          // Each but those of the first window sees at least as many tokens as overlap, and itself.
          expect(t >= Math.min(overlap, targets.length)).toBe(true);
          targets.push(window.data[row * 11 + t + 1]!);
        }
      }
      expect(count).toBe(targets.length - before);
    }
    expect(targets).toEqual([...tokens(n)].slice(1));
  });

  test("one token is too few", () => {
    expect(() => [...heldOutBatches(tokens(1), { batch: 1, length: 1 })]).toThrow("has 1 tokens, fewer than the 2");
  });
});
