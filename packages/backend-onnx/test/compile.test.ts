import { decodeGraph } from "@finegrain/generate";
import { byteSize, donations } from "@finegrain/graph";
import { denseLM, leaves, type Param, presets, scalingLM } from "@finegrain/nn";
import { afterAll, expect, test } from "vitest";
import { emit } from "../src/emit.ts";
import { onnxBackend } from "../src/index.ts";

const backend = await onnxBackend();
afterAll(() => backend[Symbol.asyncDispose]());

const MIB = 2 ** 20;

test.each([
  ["dense", denseLM(presets["paper-800m-dense"])],
  ["sparse", scalingLM(presets["paper-800m-sparse"])],
])("a decode step of a %s model of 24 layers compiles fast, and without its weights", async (_, model) => {
  const weights = leaves<Param>(model.params).map(([, { shape }]) => byteSize({ dtype: "float32", shape }));
  expect(weights.reduce((a, b) => a + b)).toBeGreaterThan(1000 * MIB);
  const { graph, donate } = decodeGraph(model, { tokens: 1, capacity: 512 });
  expect(emit(graph, donations(graph, donate)).model!.length).toBeLessThan(MIB);

  const before = process.memoryUsage().rss;
  const start = performance.now();
  using _executable = await backend.compile(graph, { donate });
  expect((process.memoryUsage().rss - before) / MIB, "MiB").toBeLessThan(100);
  expect((performance.now() - start) / 1000, "seconds").toBeLessThan(10);
});
