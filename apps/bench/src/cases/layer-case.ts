import { add, type Backend, gradient, graph, hostTensor, input, mul, reduceSum, type Tensor } from "@finegrain/graph";
import {
  feedForwardOf,
  leaves,
  type ModelConfig,
  mapParams,
  openLedger,
  parameterCount,
  randomSource,
  training,
} from "@finegrain/nn";
import { matrixProducts } from "../limits/matrix-products.ts";
import { productsBeside } from "../limits/products-beside.ts";
import { energyMeter } from "../measure/energy.ts";
import { type Held, holding } from "../measure/holding.ts";
import type { ModelFigures } from "../results/result.ts";
import type { Measure } from "../suites/suite.ts";
import { repeatedNoise, type WeightPool } from "./random-weights.ts";
import { type Prepared, tokenSpeed } from "./variant.ts";

/**
 * One feed-forward layer, forwards and backwards: the gradients of its weights and of its input, auxiliary losses included.
 * Beside it, as in a training case, its own matrix products alone.
 */
export const prepareLayer = (
  backend: Backend,
  pool: WeightPool,
  name: string,
  config: LayerConfig,
  measure: LayerMeasure,
): Promise<Prepared<ModelFigures>> => holding((held) => prepare(backend, pool, name, config, measure, held));

type LayerConfig = Pick<ModelConfig, "dModel" | "dFf" | "activation" | "feedForward">;
type LayerMeasure = Pick<Measure, "batch" | "length" | "units">;

async function prepare(
  backend: Backend,
  pool: WeightPool,
  name: string,
  config: LayerConfig,
  { batch, length, units }: LayerMeasure,
  held: Held,
): Promise<Prepared<ModelFigures>> {
  const layer = feedForwardOf(config);
  const w = mapParams(layer.params, ({ shape }, path) => input(shape, "float32", path));
  const weights = leaves<Tensor>(w).map(([, tensor]) => tensor);
  const shape = [batch, length, config.dModel];
  const [x, cotangent] = [input(shape, "float32", "x"), input(shape, "float32", "cotangent")];
  const [key, counter] = [input([2], "int32", "key"), input([], "int32", "counter")];
  const ledger = openLedger();
  const y = layer.apply(w, x, training(randomSource(key, counter), ledger));
  const loss = [...ledger.losses.values()].reduce(
    (a, b) => add(a, b),
    reduceSum(mul(y, cotangent), { axes: [0, 1, 2] }),
  );
  const program = graph({
    name: `${name}, forwards and backwards`,
    inputs: [...weights, x, cotangent, key, counter],
    outputs: [loss, ...gradient(loss, [...weights, x])],
  });
  const executable = held.add(await backend.compile(program));
  const products = held.add(await productsBeside(backend, name, matrixProducts(program)));
  const given = [
    repeatedNoise(shape, 1, 1),
    repeatedNoise(shape, 1, 2),
    hostTensor("int32", [2], [0, 0]),
    hostTensor("int32", [], [0]),
  ].map((value) => held.add(backend.upload(value)));
  const stored = pool.of(layer.params);
  const buffers = [...leaves<Tensor>(w).map(([path]) => stored.get(path)!), ...given];
  const energy = energyMeter();
  const round = async () => {
    energy.start();
    const started = performance.now();
    for (let unit = 0; unit < units; unit++) {
      const outputs = executable.run(buffers);
      await outputs[0]!.read(); // and so all of them, which come together
      for (const output of outputs) output[Symbol.dispose]();
    }
    const seconds = (performance.now() - started) / 1000 / units;
    energy.stop(units * batch * length);
    return seconds;
  };
  return {
    name,
    contestants: [{ name, round }, products.contestant],
    figures: (rounds) => ({
      phase: "layer",
      ...tokenSpeed(rounds.get(name)!.seconds, batch * length),
      parameters: parameterCount(layer.params),
      bytesPerToken: null,
      rooflineShare: products.share(rounds),
      joulesPerToken: energy.joulesPerUnit(),
    }),
    productRate: (rounds) => products.rate(rounds),
    [Symbol.asyncDispose]: async () => held[Symbol.dispose](),
  };
}
