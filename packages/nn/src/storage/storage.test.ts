import {
  cast,
  evaluate,
  fromFloat16,
  fromInt4,
  graph,
  type HostTensor,
  hostTensor,
  input,
  type Tensor,
} from "@finegrain/graph";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { glorot } from "../init.ts";
import { mapParams, matrix, type Params, param } from "../layer.ts";
import { storedTypes, storeWeights, traceWeights } from "./storage.ts";

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
    expect(
      [...storeWeights(params, weights, storage)].map(([path, { dtype, shape }]) => [path, { dtype, shape }]),
    ).toEqual([...storedTypes(params, storage)]);
});

test("int8 is within half a step of every weight, and uses all of its range in every row", () => {
  const stored = storeWeights(params, weights, "int8");
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
      const half = storeWeights({ large: params.large }, new Map([["large", value]]), "float16").get("large")!.data[0]!;
      const error = Math.abs(fromFloat16(half) - Math.max(-65504, Math.min(65504, x)));
      // Half a unit of the last place: 2^-11 of the number, or half of the smallest step.
      expect(error).toBeLessThanOrEqual(Math.max(Math.abs(x) * 2 ** -11, 2 ** -25));
    }),
    { numRuns: 30 },
  ));

test("a weight that is not finite stays so in float16, where it shows", () => {
  const data = new Float32Array(300 * 300).fill(1);
  data.set([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e6]);
  const own = { w: param([300, 300], glorot(300, 300)) };
  const stored = storeWeights(own, new Map([["w", hostTensor("float32", [300, 300], data)]]), "float16").get("w")!;
  expect([...stored.data.slice(0, 4)].map(fromFloat16)).toEqual([Number.NaN, Infinity, -Infinity, 65504]);
});

/** What `fromInt4` makes of a stored weight, row by row as it is stored. */
const restored = (stored: ReadonlyMap<string, HostTensor>, path: string): ArrayLike<number> => {
  const parts = ["", ".scale", ".min"].map((end) => stored.get(path + end)!);
  const [words, scale, min] = parts.map(({ dtype, shape }) => input(shape, dtype)) as [Tensor, Tensor, Tensor];
  const outputs = [fromInt4(words, cast(scale, "float32"), cast(min, "float32"))];
  return evaluate(graph({ inputs: [words, scale, min], outputs }), parts)[0]!.data;
};

describe("int4", () => {
  const WIDE = 320;
  const both = { kernel: matrix(WIDE, 300, glorot(1, 1)), rows: param([300, WIDE], glorot(1, 1)) };
  const some = (of: (i: number) => number) =>
    hostTensor(
      "float32",
      [300, WIDE],
      Float32Array.from({ length: 300 * WIDE }, (_, i) => of(i)),
    );
  const transposed = ({ shape: [rows, columns], data }: HostTensor): HostTensor =>
    hostTensor(
      "float32",
      [columns!, rows!],
      Array.from({ length: data.length }, (_, i) => data[(i % rows!) * columns! + Math.floor(i / rows!)]!),
    );
  const keep = (rows: HostTensor) =>
    storeWeights(both, new Map([["kernel", transposed(rows)], ["rows", rows]]), "int4"); // biome-ignore format: one pair each

  test("a matrix [in, out] is stored by its columns, and one whose rows are no multiple of 32 stays as it is", () => {
    expect([...storedTypes({ ...both, odd: param([300, 330], glorot(1, 1)) }, "int4")]).toEqual([
      ["kernel", { dtype: "int32", shape: [300, 40] }],
      ["kernel.scale", { dtype: "float16", shape: [300, 10] }],
      ["kernel.min", { dtype: "float16", shape: [300, 10] }],
      ["rows", { dtype: "int32", shape: [300, 40] }],
      ["rows.scale", { dtype: "float16", shape: [300, 10] }],
      ["rows.min", { dtype: "float16", shape: [300, 10] }],
      ["odd", { dtype: "float32", shape: [300, 330] }],
    ]);
    const stored = keep(some(Math.sin));
    for (const end of ["", ".scale", ".min"])
      expect(stored.get(`kernel${end}`)!.data).toEqual(stored.get(`rows${end}`)!.data);
  });

  test("a matrix whose inputs are often 0 lies input by input, with the same numbers", () => {
    const values = some((i) => Math.sin(i) * (1 + (i % 7)));
    const rows = hostTensor("float32", [288, 256], values.data.slice(0, 288 * 256));
    const kernel = matrix(256, 288, glorot(1, 1));
    const params = { kernel, outer: param([288, 256], glorot(1, 1)) };
    const skipping = mapParams(params, (own) => ({ ...own, skipsZeros: true as const }));
    const weights = new Map([["kernel", transposed(rows)], ["outer", rows]]); // biome-ignore format: one pair each
    const numbers = (of: Params) => {
      const { weights: traced, stored } = traceWeights(of, "int4");
      const values = storeWeights(of, weights, "int4");
      for (const [path, { shape, dtype }] of storedTypes(of, "int4"))
        expect([values.get(path)!.shape, values.get(path)!.dtype]).toEqual([shape, dtype]);
      const outputs = traced as Record<string, Tensor>;
      return evaluate(graph({ inputs: { stored }, outputs }), { stored: Object.fromEntries(values) });
    };
    expect(storedTypes(skipping, "int4").get("kernel")!.shape).toEqual([256, 36]);
    expect(numbers(skipping)).toEqual(numbers(params));
  });

  test("a group's weights are within half a step, of a fifteenth of what it spans, in the mean of their squares", () => {
    const rows = some((i) => Math.sin(i) * (1 + (i % 7)));
    const values = restored(keep(rows), "rows");
    for (let at = 0; at < rows.data.length; at += 32) {
      const group = [...rows.data.slice(at, at + 32)];
      const step = (Math.max(...group) - Math.min(...group)) / 15;
      const squares = group.reduce((sum, x, k) => sum + (values[at + k]! - x) ** 2, 0);
      // The least number and the step are of 11 bits themselves.
      expect(Math.sqrt(squares / 32)).toBeLessThan(0.51 * step);
    }
  });

  test("a weight that is no number shows", () => {
    const values = restored(keep(some((i) => (i === 40 ? Number.NaN : 1))), "rows");
    expect(values[40]).toBeNaN();
    expect(values[0]).toBe(1);
  });

  test.each([
    ["Q4_0", (q: number, d: number) => d * (q - 8)],
    ["Q4_1", (q: number, d: number) => Math.fround(d * q - 3 * d)],
  ])("weights of a %s file stay as they are", (_, value) => {
    // Each such group has its largest magnitude at one end.
    const rows = some((i) => value(i % 32 === 5 ? 0 : i % 32 === 9 ? 15 : (i * 7 + (i >> 5)) % 16, ((i >> 5) % 9) - 4));
    expect(Array.from(restored(keep(rows), "rows"), (x) => x + 0)).toEqual([...rows.data].map((x) => x + 0)); // -0 is 0
  });
});
