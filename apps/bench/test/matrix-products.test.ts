import { causalAttention, einsum, graph, input, referenceBackend, relu } from "@finegrain/graph";
import { expect, test } from "vitest";
import { flops, matrixProducts, prepareProducts } from "../src/limits/matrix-products.ts";

test("finds every product, those inside composites too", () => {
  const x = input([6, 8]);
  const w = input([8, 4]);
  const q = input([1, 2, 3, 4]);
  const program = graph({
    inputs: [x, w, q],
    outputs: [relu(einsum(x, w, "B D, D F -> B F")), causalAttention(q, q, q, { scale: 1 })],
  });
  const products = matrixProducts(program);
  expect(products).toContainEqual({ batch: 1, m: 6, k: 8, n: 4 });
  expect(products).toContainEqual({ batch: 2, m: 3, k: 4, n: 3 });
  expect(products).toContainEqual({ batch: 2, m: 3, k: 3, n: 4 });
  expect(products).toHaveLength(3);
  expect(flops(products[0]!)).toBeGreaterThan(0);
});

test("runs equal products apart", async () => {
  const product = { batch: 1, m: 2, k: 3, n: 4 };
  using run = await prepareProducts(referenceBackend(), [product, product, product]);
  expect(run.flops).toBe(3 * 2 * 2 * 3 * 4);
  expect(await run.run()).toBeGreaterThan(0);
});
