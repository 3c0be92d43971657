// @module-tag webgpu
import { expectAgreement, expectClose, randomValue, runGraph } from "@finegrain/backend-testkit";
import {
  type Backend,
  cast,
  einsum,
  evaluate,
  exp,
  gather,
  graph,
  hostTensor,
  input,
  mul,
  reduceSum,
  relu,
  scatterAdd,
  slice,
  softmax,
  type Tensor,
  toFloat16,
  topK,
  transpose,
  updateSlice,
} from "@finegrain/graph";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { webgpuBackend } from "../src/index.ts";

process.env.GALLIVM_PERF ??= "nopt"; // as in conformance.test.ts

/** Of a binding: 64 floats, so that small tensors are of several. */
const BINDING = 256;

let backend: Backend;
let narrow: Backend;
beforeAll(async () => {
  [backend, narrow] = await Promise.all([webgpuBackend(), webgpuBackend({ bindingBytes: BINDING })]);
});
afterAll(async () => {
  for (const each of [backend, narrow]) await each?.[Symbol.asyncDispose]();
});

/** Standard normal, or indices below 10. */
const values = (inputs: readonly Tensor[]) =>
  inputs.map(({ dtype, shape }, i) =>
    dtype === "float16" || dtype === "int8"
      ? hostTensor(dtype, shape, stored[dtype](randomValue({ dtype: "float32", shape }, i + 1).data))
      : randomValue({ dtype, shape, ...(dtype === "int32" && { below: 10 }) }, i + 1),
  );
const stored = {
  float16: (data: ArrayLike<number>) => Uint16Array.from(data, toFloat16),
  int8: (data: ArrayLike<number>) => Int8Array.from(data, (x) => Math.round(x * 40)),
};

describe("tensors of several bindings", () => {
  const [x, w, table] = [input([12, 20]), input([20, 16]), input([10, 20])];
  const rows = input([12], "int32");
  const [vector, tall] = [input([1, 64]), input([64, 5])];
  const [half, eighth] = [input([10, 32], "float16"), input([10, 60], "int8")];
  const cases: Readonly<Record<string, [inputs: Tensor[], output: Tensor]>> = {
    "a product of matrices": [[x, w], einsum(x, w, "B I, I O -> B O")],
    "a product with a transposed matrix": [[x, table], einsum(x, table, "B I, O I -> B O")],
    "a vector times a matrix": [[vector, tall], einsum(vector, tall, "B I, I O -> B O")],
    "element by element": [[x], relu(x)],
    "a transpose": [[x], exp(transpose(x, [1, 0]))],
    "a gather": [[table, rows], gather(table, rows)],
    "a scatter": [[rows, x], scatterAdd(rows, x, { rows: 10 })],
    "the largest": [[x], topK(x, { k: 3 })],
    "float16 rows": [[half, rows], gather(cast(half, "float32"), rows)],
    "a product with float16": [
      [vector, half],
      einsum(slice(vector, { starts: [0, 0], ends: [1, 32] }), cast(half, "float32"), "B I, O I -> B O"),
    ],
    "int8 rows": [[eighth, rows], reduceSum(gather(cast(eighth, "float32"), rows), { axes: [0] })],
    "a product with int8": [
      [vector, eighth],
      einsum(slice(vector, { starts: [0, 2], ends: [1, 62] }), cast(eighth, "float32"), "B I, O I -> B O"),
    ],
  };
  test.each(Object.entries(cases))("%s", async (name, [inputs, output]) =>
    expectAgreement(narrow, graph({ name, inputs, outputs: [output] }), values(inputs), 2e-5),
  );

  test("a cache is written in place", async () => {
    const [cache, update, at] = [input([2, 16, 6]), input([2, 1, 6]), input([], "int32")];
    const next = updateSlice(cache, update, at, { axis: 1 });
    const outputs = [next, reduceSum(next, { axes: [1] })];
    const program = graph({ name: "write", inputs: [cache, update, at], outputs });
    const given = [...values([cache, update]), hostTensor("int32", [], Int32Array.of(11))];
    using step = await narrow.compile(program, { donate: ["0"] });
    const results = step.run(given.map((value) => narrow.upload(value)));
    for (const [i, expected] of evaluate(program, given).entries())
      expectClose(await results[i]!.read(), expected, 2e-5);
  });

  test("temporaries cross no binding, or take several", () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.nat(), { minLength: 3, maxLength: 6 }), async (choices) => {
        const given = [input([6, 6], "float32", "x"), input([8, 9], "float32", "y")];
        const made = [...given];
        for (const choice of choices) {
          const [a, b] = [made[choice % made.length]!, made[(choice >> 3) % made.length]!];
          made.push((choice >> 6) % 2 ? softmax(b) : einsum(a, softmax(b), "I J, K L -> I L"));
        }
        const program = graph({ name: "drawn", inputs: given, outputs: made.slice(-2).map((a) => mul(a, 2)) });
        await expectAgreement(narrow, program, values(given), 2e-5);
      }),
      { numRuns: 30, seed: 7 },
    ));

  test("too many for one kernel are refused, the largest of them by name", async () => {
    const [a, b] = [input([64, 12], "float32", "a"), input([64, 4], "float32", "b")];
    const program = graph({ name: "wide", inputs: [a, b], outputs: [einsum(a, b, "I J, I K -> J K")] });
    const sentence =
      /^einsum I J, I K -> J K of graph "wide" needs 17 storage bindings of 256 bytes, where webgpu:.* has \d+: input a of float32\[64,12\] alone takes 12$/;
    await expect(narrow.compile(program)).rejects.toThrow(sentence);
  });
});

test("a tensor is larger than the device's largest binding", async () => {
  const picked = [0, 32_767, 32_768, 39_999]; // 32,768 rows of 4 KiB are 128 MiB, which is lavapipe's
  const width = 1024;
  const weights = Float32Array.from({ length: 40_000 * width }, (_, i) => ((i * 7919) % 1009) / 1009 - 0.5);
  const [table, x, rows] = [input([40_000, width]), input([1, width]), input([4], "int32")];
  const scores = (of: Tensor) => einsum(x, of, "B D, R D -> B R");
  const inputs = [table, x, rows];
  const outputs = [gather(table, rows), gather(transpose(scores(table), [1, 0]), rows)];
  const vector = values([x])[0]!;
  const actual = await runGraph(backend, graph({ name: "large", inputs, outputs }), [
    hostTensor("float32", table.shape, weights),
    vector,
    hostTensor("int32", [4], Int32Array.from(picked)),
  ]);
  const small = input([4, width]);
  const data = Float32Array.from(picked.flatMap((row) => [...weights.subarray(row * width, (row + 1) * width)]));
  const expected = evaluate(
    graph({ name: "picked", inputs: [small, x], outputs: [mul(small, 1), transpose(scores(small), [1, 0])] }),
    [hostTensor("float32", small.shape, data), vector],
  );
  for (const [i, one] of expected.entries()) expectClose(actual[i]!, one, 2e-5);
});
