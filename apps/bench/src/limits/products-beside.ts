import type { Backend } from "@finegrain/graph";
import type { Contestant, Rounds } from "../measure/method.ts";
import { median } from "../measure/statistics.ts";
import { type MatrixProduct, prepareProducts } from "./matrix-products.ts";

/** The matrix products of a variant, alone on the same backend: what it could be if all else cost nothing. */
export interface ProductsBeside extends Disposable {
  readonly contestant: Contestant;
  /** Time that the products take alone over that of the variant. */
  share(rounds: Rounds): number;
  /** Floating-point operations a second. */
  rate(rounds: Rounds): number;
}

export async function productsBeside(
  backend: Backend,
  variant: string,
  products: readonly MatrixProduct[],
): Promise<ProductsBeside> {
  const prepared = await prepareProducts(backend, products);
  const name = `${variant}: its products alone`;
  const seconds = (rounds: Rounds, of: string) => median(rounds.get(of)!.seconds);
  return {
    contestant: { name, round: () => prepared.run() },
    share: (rounds) => seconds(rounds, name) / seconds(rounds, variant),
    rate: (rounds) => prepared.flops / seconds(rounds, name),
    [Symbol.dispose]: () => prepared[Symbol.dispose](),
  };
}
