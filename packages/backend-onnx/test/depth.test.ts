import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  add,
  einsum,
  gradient,
  graph,
  input,
  mul,
  type ReversibleHalf,
  reduceSum,
  reversible,
  streamOf,
  type Tensor,
  tanh,
} from "@finegrain/graph";
import * as ort from "onnxruntime-node";
import { expect, test } from "vitest";
import { emit } from "../src/emit.ts";

const [rows, width] = [256, 64];

/** A step through so many halves, [rows, width] in and gradients of one small matrix out. */
function step(depth: number, isReversible: boolean) {
  const [x, w] = [input([rows, width]), input([width, width])];
  const half: ReversibleHalf = (t, [v]) => tanh(tanh(einsum(t, v!, "N I, I O -> N O")));
  let [a, b]: [Tensor, Tensor] = [x, mul(x, 2)];
  if (isReversible) {
    const both = reversible(a, b, w, { halves: new Array(depth).fill(half) });
    [a, b] = [streamOf(both, 0), streamOf(both, 1)];
  } else for (let i = 0; i < depth; i++) [a, b] = [b, add(a, half(b, [w]))];
  const loss = reduceSum(mul(a, mul(b, b)), { axes: [0, 1] });
  return graph({ inputs: [x, w], outputs: gradient(loss, [w]) });
}

/** The most bytes that ONNX Runtime has in use while it runs a graph, by its own profile. */
async function mostInUse(source: ReturnType<typeof step>): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "finegrain-depth-"));
  try {
    const { model, feeds } = emit(source, []);
    const session = await ort.InferenceSession.create(model!, {
      ...{ graphOptimizationLevel: "all", enableMemPattern: false, intraOpNumThreads: 1 },
      ...{ enableProfiling: true, profileFilePrefix: join(folder, "profile") },
    });
    const numbers = (shape: readonly number[]) =>
      new ort.Tensor(
        "float32",
        Float32Array.from({ length: shape.reduce((p, n) => p * n, 1) }, (_, i) => Math.sin(i) / width),
        shape,
      );
    await session.run(Object.fromEntries(feeds.map(({ name, type }) => [name, numbers(type.shape)])));
    session.endProfiling();
    await session.release();
    const [profile] = await readdir(folder);
    const inUse = (await readFile(join(folder, profile!), "utf8")).matchAll(/"mem_bytes_in_use" : "(\d+)"/g);
    return Math.max(...[...inUse].map(([, bytes]) => Number(bytes)));
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("a training step through reversible blocks needs no more memory the deeper it is, and one through others does", async () => {
  expect(await mostInUse(step(48, true))).toBeLessThan(1.1 * (await mostInUse(step(12, true))));
  expect(await mostInUse(step(48, false))).toBeGreaterThan(2.5 * (await mostInUse(step(12, false))));
});
