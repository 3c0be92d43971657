import { evaluate, graph, hostTensor, input, type Tensor } from "@finegrain/graph";
import fc from "fast-check";
import { expect, test } from "vitest";
import { nucleus, nucleusOfSorted } from "./nucleus.ts";

/** The tokens that `find` keeps. */
function kept(find: typeof nucleus, logits: Float32Array, temperature: number, p: number): number[] {
  const [x, t, q] = [input([logits.length]), input([]), input([])] as [Tensor, Tensor, Tensor];
  const values = [logits, [temperature], [p]].map((data, i) =>
    hostTensor("float32", i === 0 ? [data.length] : [], data),
  );
  const [mask] = evaluate(graph({ inputs: [x, t, q], outputs: [find(x, t, q)] }), values);
  return [...logits.keys()].filter((token) => mask!.data[token]);
}

/** The meaning: token by token in falling order until p is reached. */
function expected(logits: Float32Array, temperature: number, p: number): number[] {
  const weights = Array.from(logits, (x) => Math.exp((x - Math.max(...logits)) / temperature));
  const enough = Math.fround(p) * weights.reduce((sum, w) => sum + w, 0);
  const tokens: number[] = [];
  let reached = 0;
  for (const token of [...logits.keys()].sort((a, b) => logits[b]! - logits[a]! || a - b)) {
    if (reached >= enough) break;
    tokens.push(token);
    reached += weights[token]!;
  }
  return tokens.sort((a, b) => a - b);
}

const anyLogits = fc.oneof(
  fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 1, maxLength: 40 }), // many equals
  fc.array(
    fc.integer({ min: -40_000, max: 40_000 }).map((x) => x / 1000),
    { minLength: 1, maxLength: 40 },
  ),
);
// Sums of equal weights are near no such part of the whole, where rounding would decide.
const anyP = fc.constantFrom(1e-6, 0.0712345, 0.312357, 0.5123457, 0.7012345, 0.9012345, 0.9998877);

test("a search keeps what falling order keeps", () => {
  fc.assert(
    fc.property(anyLogits, fc.constantFrom(0.5, 1, 1.7), anyP, (numbers, temperature, p) => {
      const logits = Float32Array.from(numbers);
      expect(kept(nucleus, logits, temperature, p)).toEqual(expected(logits, temperature, p));
    }),
  );
});

test("so do sums of pairs, of what is sorted", () => {
  fc.assert(
    fc.property(anyLogits, fc.constantFrom(0.5, 1, 1.7), anyP, (numbers, temperature, p) => {
      const logits = Float32Array.from(numbers).sort().reverse();
      expect(kept(nucleusOfSorted, logits, temperature, p)).toEqual(expected(logits, temperature, p));
    }),
  );
});

test("many tokens, sorted or not, and many equals", () => {
  const waves = Float32Array.from({ length: 3000 }, (_, i) => 3 * Math.sin(i * i));
  for (const logits of [waves, waves.toSorted().reverse(), new Float32Array(3000)])
    for (const p of [0.0212345, 0.9012345]) expect(kept(nucleus, logits, 1, p)).toEqual(expected(logits, 1, p));
  const sorted = waves.toSorted().reverse();
  expect(kept(nucleusOfSorted, sorted, 1, 0.5123457)).toEqual(expected(sorted, 1, 0.5123457));
});
