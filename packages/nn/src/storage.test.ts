import { fromFloat16, hostTensor } from "@finegrain/graph";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { glorot } from "./init.ts";
import { param } from "./layer.ts";
import { storedTypes, storeWeights } from "./storage.ts";

const [ROWS, WIDTH] = [300, 400];
const params = {
  large: param([ROWS, WIDTH], glorot(ROWS, WIDTH)),
  small: param([8, 8], glorot(8, 8)),
  long: param([100_000], glorot(1, 1)),
};
const numbers = Float32Array.from({ length: ROWS * WIDTH }, (_, i) => Math.sin(i) * (1 + (i % 7)) * 1e-2);
const weights = new Map([
  ["large", hostTensor("float32", [ROWS, WIDTH], numbers)],
  ["small", hostTensor("float32", [8, 8], new Float32Array(64).fill(1.1))],
  ["long", hostTensor("float32", [100_000], new Float32Array(100_000).fill(1.1))],
]);

test("large matrices alone are stored in fewer bits", () => {
  expect([...storedTypes(params, "int8")]).toEqual([
    ["large", { dtype: "int8", shape: [ROWS, WIDTH] }],
    ["large.scale", { dtype: "float32", shape: [ROWS, 1] }],
    ["small", { dtype: "float32", shape: [8, 8] }],
    ["long", { dtype: "float32", shape: [100_000] }],
  ]);
  for (const storage of ["float32", "float16", "int8"] as const)
    expect([...storeWeights(weights, storage)].map(([path, { dtype, shape }]) => [path, { dtype, shape }])).toEqual([
      ...storedTypes(params, storage),
    ]);
});

test("int8 is within half a step of every weight, and uses all of its range in every row", () => {
  const stored = storeWeights(weights, "int8");
  const [{ data }, scale] = [stored.get("large")!, stored.get("large.scale")!.data];
  for (let k = 0; k < numbers.length; k++) {
    const step = scale[Math.floor(k / WIDTH)]!;
    expect(Math.abs(data[k]! * step - numbers[k]!)).toBeLessThanOrEqual(step * 0.5001);
  }
  for (let row = 0; row < ROWS; row++)
    expect(Math.max(...data.slice(row * WIDTH, (row + 1) * WIDTH).map(Math.abs))).toBe(127);
});

test("float16 is the nearest there is", () =>
  fc.assert(
    fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (x) => {
      const value = hostTensor("float32", [ROWS, WIDTH], new Float32Array(ROWS * WIDTH).fill(x));
      const half = storeWeights(new Map([["large", value]]), "float16").get("large")!.data[0]!;
      const error = Math.abs(fromFloat16(half) - Math.max(-65504, Math.min(65504, x)));
      // Half a unit of the last place: 2^-11 of the number, or half of the smallest step.
      expect(error).toBeLessThanOrEqual(Math.max(Math.abs(x) * 2 ** -11, 2 ** -25));
    }),
    { numRuns: 30 },
  ));

test("a weight that is not finite stays so in float16, where it shows", () => {
  const data = new Float32Array(300 * 300).fill(1);
  data.set([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e6]);
  const stored = storeWeights(new Map([["w", hostTensor("float32", [300, 300], data)]]), "float16").get("w")!;
  expect([...stored.data.slice(0, 4)].map(fromFloat16)).toEqual([Number.NaN, Infinity, -Infinity, 65504]);
});
