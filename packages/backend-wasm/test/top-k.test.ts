import { graph, hostTensor, input, topK } from "@finegrain/graph";
import { expect, test } from "vitest";
import { wasmBackend } from "../src/index.ts";

const ROWS = 3;
const LENGTH = 1003;

const orders: Readonly<Record<string, (i: number) => number>> = {
  rising: (i) => i,
  falling: (i) => -i,
  "with many equals": (i) => (i * i) % 7,
  "all equal": () => 1,
  "in no order": (i) => Math.sin(i * i),
  "mostly impossible": (i) => (i % 100 === 7 ? i : Number.NEGATIVE_INFINITY),
};

test.each(Object.entries(orders))("the k largest of rows that are %s", async (_, value) => {
  await using backend = await wasmBackend({ threads: 2 });
  const data = Float32Array.from({ length: ROWS * LENGTH }, (_, i) => value(i));
  using given = backend.upload(hostTensor("float32", [ROWS, LENGTH], data));
  for (const k of [1, 2, 40, 990, LENGTH]) {
    const x = input([ROWS, LENGTH]);
    using executable = await backend.compile(graph({ inputs: [x], outputs: [topK(x, { k })] }));
    const [found] = executable.run([given]);
    const expected = [0, 1, 2].flatMap((row) => {
      const own = data.subarray(row * LENGTH, (row + 1) * LENGTH);
      return [...own.keys()].sort((a, b) => (own[a] === own[b] ? a - b : own[b]! - own[a]!)).slice(0, k);
    });
    expect([...(await found!.read()).data], `k = ${k}`).toEqual(expected);
    found![Symbol.dispose]();
  }
});
