import { add, type Buffer, einsum, graph, hostTensor, input } from "@finegrain/graph";
import { afterAll, expect, test } from "vitest";
import { onnxBackend } from "../src/index.ts";

const backend = await onnxBackend();
afterAll(() => backend[Symbol.asyncDispose]());

const SIDE = 12_032;
const WEIGHTS = 4;

// A protobuf message ends at 2 GiB, and so would a model with these weights in it: they are inputs instead.
test("weights of more than 2 GiB run", { timeout: 60_000 }, async () => {
  expect(4 * WEIGHTS * SIDE * SIDE).toBeGreaterThan(2 ** 31);
  const x = input([1, SIDE], "float32", "x");
  const weights = Array.from({ length: WEIGHTS }, (_, i) => input([SIDE, SIDE], "float32", `weight${i}`));
  const products = weights.map((w) => einsum(x, w, "B D, F D -> B F"));
  const inputs = [x, ...weights];
  using run = await backend.compile(graph({ name: "large", inputs, outputs: [products.reduce((a, b) => add(a, b))] }));

  // One array, changed between uploads, which copy it: the last entry of the last row tells the weights apart.
  const numbers = new Float32Array(SIDE * SIDE);
  const uploaded: Buffer[] = weights.map((_, i) => {
    numbers[numbers.length - 1] = 10 ** i;
    return backend.upload(hostTensor("float32", [SIDE, SIDE], numbers));
  });
  const [out] = run.run([
    backend.upload(hostTensor("float32", [1, SIDE], new Float32Array(SIDE).fill(2))),
    ...uploaded,
  ]);
  const { data } = await out!.read();
  expect(data.at(-1)).toBe(2222);
  expect(data.subarray(0, -1).every((value) => value === 0)).toBe(true);
});
