import type { Backend } from "@finegrain/graph";
import type { Probe } from "./limits.ts";
import { type ProductRun, prepareProducts } from "./matrix-products.ts";

/** Rows, columns and depth of the products that are tried: the larger, the nearer to the machine's rate. */
const SIZES = [512, 1024, 2048, 4096, 8192];
/** Seconds from which a product is long enough: the next would take eight times as long. */
const LONG = 0.015;
/** Runs of which the fastest tells, since others may have the machine meanwhile. */
const TRIES = 3;

/**
 * The fp32 rate: a product of two square matrices on the backend, as large as takes a few hundredths of a second. The
 * reference evaluator, which would take minutes, has none.
 */
export async function prepareFlopRate(backend: Backend): Promise<Probe> {
  if (backend.device.kind === "reference") return { contestants: [], async [Symbol.asyncDispose]() {} };
  const { size, product } = await longEnough(backend);
  const name = `product of ${size} x ${size} matrices on ${backend.name}`;
  return {
    contestants: [{ name, round: async () => (await product.run()) / product.flops }],
    async [Symbol.asyncDispose]() {
      product[Symbol.dispose]();
    },
  };
}

async function longEnough(backend: Backend): Promise<{ size: number; product: ProductRun }> {
  for (const [i, size] of SIZES.entries()) {
    const product = await prepareProducts(backend, [{ batch: 1, m: size, k: size, n: size }]);
    const times: number[] = [];
    for (let k = 0; k < TRIES; k++) times.push(await product.run());
    if (i === SIZES.length - 1 || Math.min(...times) > LONG) return { size, product };
    product[Symbol.dispose]();
  }
  throw new Error("there is no size to try"); // the last of SIZES returns
}
