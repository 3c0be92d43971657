import { runGraph } from "@finegrain/backend-testkit";
import { add, graph, hostTensor, input, mul, rem, shiftRight } from "@finegrain/graph";
import { expect, it } from "vitest";
import { tfjsBackend } from "../src/index.ts";
import { engines } from "./engines.ts";

const X = [-7, 7, -8, 8, 2147483647, -2147483648, 123456789, -123456789];
const Y = [3, -3, -4, 4, 1000, 7, 65537, 1000];

it.each(engines)("%s has all 32 bits of an int32", async (device) => {
  await using backend = await tfjsBackend({ device });
  const [x, y] = [input([8], "int32", "x"), input([8], "int32", "y")];
  const program = graph({ inputs: [x, y], outputs: [rem(x, y), add(x, y), mul(x, y), shiftRight(x, { bits: 3 })] });
  const found = await runGraph(
    backend,
    program,
    [X, Y].map((data) => hostTensor("int32", [8], data)),
  );
  const zip = (f: (a: number, b: number) => number) => X.map((a, i) => f(a, Y[i]!) | 0);
  expect(found.map(({ data }) => [...data])).toEqual([
    X.map((a, i) => (a % Y[i]!) + 0),
    zip((a, b) => a + b),
    zip(Math.imul),
    X.map((a) => a >>> 3),
  ]);
});
