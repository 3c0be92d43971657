import {
  add,
  einsum,
  gradient,
  graph,
  input,
  mul,
  reduceSum,
  reversible,
  streamOf,
  type Tensor,
  tanh,
} from "@finegrain/graph";
import { expect, test } from "vitest";
import { wasmBackend } from "../src/index.ts";

const ROWS = 512;
const WIDTH = 16;

/** The gradients of weights through `depth` halves of two streams. */
function step(depth: number, keeps: boolean) {
  const x = input([ROWS, WIDTH]);
  const weights = Array.from({ length: depth }, () => input([WIDTH, WIDTH]));
  const halves = weights.map(
    (_, i) =>
      (t: Tensor, own: readonly Tensor[]): Tensor =>
        tanh(einsum(tanh(mul(t, t)), own[i]!, "N I, I O -> N O")),
  );
  const both = reversible(x, x, ...weights, { halves });
  let streams: [Tensor, Tensor] = [streamOf(both, 0), streamOf(both, 1)];
  if (keeps) {
    streams = [x, x];
    for (const f of halves) streams = [streams[1], add(streams[0], f(streams[1], weights))];
  }
  const loss = reduceSum(mul(streams[0], mul(streams[1], streams[1])), { axes: [0, 1] });
  return graph({ inputs: [x, ...weights], outputs: gradient(loss, weights) });
}

/** Bytes that a compiled graph holds beside its inputs and outputs. */
async function bytes(depth: number, keeps: boolean): Promise<number> {
  await using backend = await wasmBackend({ threads: 1 });
  const before = backend.memoryInUse!(); // wasm tells
  using executable = await backend.compile(step(depth, keeps));
  expect(executable).toBeDefined();
  return backend.memoryInUse!() - before;
}

test("what a training step keeps does not grow with reversible halves", async () => {
  const [shallow, deep, kept] = [await bytes(6, false), await bytes(24, false), await bytes(24, true)];
  expect(deep).toBeLessThan(1.3 * shallow);
  expect(kept).toBeGreaterThan(3 * deep);
});
