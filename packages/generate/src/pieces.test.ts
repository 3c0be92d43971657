import fc from "fast-check";
import { expect, test } from "vitest";
import { piecesOf } from "./pieces.ts";

const sizes = (count: number, again: boolean, longest = 256) =>
  piecesOf(count, { again, longest }).map(({ size }) => size);

test("a prompt is read in few runs", () => {
  expect(sizes(512 + 63, true)).toEqual([256, 256, 64]);
  expect(sizes(512 + 63, false)).toEqual([256, 256, 8, 8, 8, 8, 8, 8, 8, 1, 1, 1, 1, 1, 1, 1]);
  expect(sizes(256 + 200, true)).toEqual([256, 64, 64, 64, 8]);
  expect(sizes(256 + 230, true)).toEqual([256, 256]);
  expect(sizes(64 + 20, true)).toEqual([64, 8, 8, 8]);
  expect(sizes(300, true, 64)).toEqual([64, 64, 64, 64, 64]);
  expect(sizes(13, true)).toEqual([8, 8]);
  expect(sizes(10, true)).toEqual([8, 1, 1]);
  expect(sizes(7, true)).toEqual([1, 1, 1, 1, 1, 1, 1]);
});

test("every token is read, in order, and few of them twice", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2000 }), fc.boolean(), (count, again) => {
      let end = 0;
      for (const { from, size } of piecesOf(count, { again, longest: 256 })) {
        expect(from).toBeGreaterThanOrEqual(0);
        expect(from).toBeLessThanOrEqual(end);
        expect(end - from).toBeLessThanOrEqual(again ? Math.min(size / 2, 32) : 0);
        expect(from + size).toBeGreaterThan(end);
        end = from + size;
      }
      expect(end).toBe(count);
    }),
  );
});
