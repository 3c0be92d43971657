// @module-tag webgpu
import { describeProducts, expectAgreement, randomValue } from "@finegrain/backend-testkit";
import { type Backend, einsum, graph, input, softmax } from "@finegrain/graph";
import { afterAll, beforeAll, describe, test } from "vitest";
import { webgpuBackend } from "../src/index.ts";
import { asGpu } from "./as-gpu.ts";

process.env.GALLIVM_PERF ??= "nopt";

const ways: Record<string, () => Promise<Backend>> = {
  "in lanes, as for a CPU": () => webgpuBackend(),
  "in tiles, as for a GPU": async () => webgpuBackend({ gpu: await asGpu() }),
};

describe.each(Object.entries(ways))("products %s", (_, open) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open();
  });
  afterAll(async () => backend?.[Symbol.asyncDispose]());
  describeProducts(() => backend);
});

test("products of a few heads, one after the other in each workgroup", async () => {
  await using backend = await webgpuBackend();
  const [q, k, v] = [input([8, 32]), input([8, 64, 32]), input([8, 64, 32])];
  const weights = softmax(einsum(q, k, "H D, H S D -> H S"));
  const program = graph({
    name: "heads",
    inputs: [q, k, v],
    outputs: [weights, einsum(weights, v, "H S, H S D -> H D")],
  });
  await expectAgreement(
    backend,
    program,
    [q, k, v].map((type, i) => randomValue(type, i + 1)),
    2e-5,
  );
});

test("a product with tiles enough for the whole of a GPU", async () => {
  await using backend = await webgpuBackend({ gpu: await asGpu() });
  const [x, y] = [input([64, 130, 20]), input([64, 20, 200])];
  const program = graph({ name: "tiles", inputs: [x, y], outputs: [einsum(x, y, "B M K, B K N -> B M N")] });
  await expectAgreement(
    backend,
    program,
    [x, y].map((type, i) => randomValue(type, i + 1)),
    2e-5,
  );
});
