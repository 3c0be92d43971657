import fc from "fast-check";
import { expect, test } from "vitest";
import { corrupted, corruptedLength, corruptedSizes } from "./span-corruption.ts";

const special = { end: 1, sentinel: 1000, sentinels: 126 };

/** The text again: what is behind each sentinel of the target takes its place in the source. */
function restored(source: Int32Array, target: Int32Array): number[] {
  const spans = new Map<number, number[]>();
  let span: number[] = [];
  for (const token of target.subarray(0, -1)) {
    if (token < special.sentinel) span.push(token);
    else {
      span = [];
      spans.set(token, span);
    }
  }
  return [...source.subarray(0, -1)].flatMap((token) => spans.get(token) ?? [token]);
}

test("a source and its target have all of a text, in the sizes that are said, and both end", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 300 }), fc.nat(1000), fc.nat(1000), (length, seed, number) => {
      const text = Int32Array.from({ length }, (_, i) => 2 + (i % 500));
      const { source, target } = corrupted(text, special, { seed, number });
      const sizes = corruptedSizes(length);
      expect([source.length, target.length]).toEqual([sizes.source, sizes.target]);
      expect([source.at(-1), target.at(-1)]).toEqual([special.end, special.end]);
      expect(restored(source, target)).toEqual([...text]);
    }),
  );
});

test("T5's sizes: 512 in takes 15 % of 568 tokens, in spans of 3 on average", () => {
  const length = corruptedLength({ batch: 1, source: 512, length: 256 }, special);
  expect(length).toBe(568);
  expect(corruptedSizes(length)).toEqual({ missing: 85, spans: 28, source: 512, target: 114 });
});

test("other seeds and texts are without other spans", () => {
  const text = Int32Array.from({ length: 100 }, (_, i) => i + 2);
  const one = corrupted(text, special, { seed: 1, number: 0 });
  expect(corrupted(text, special, { seed: 1, number: 0 })).toEqual(one);
  expect(corrupted(text, special, { seed: 1, number: 1 })).not.toEqual(one);
  expect(corrupted(text, special, { seed: 2, number: 0 })).not.toEqual(one);
});

test("more spans than sentinels are refused", () => {
  expect(() => corruptedLength({ batch: 1, source: 4096, length: 2048 }, special)).toThrow(
    "a source of 4096 tokens is without 228 spans, for which there are only 126 sentinels",
  );
});
