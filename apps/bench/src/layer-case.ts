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
import { matrixProducts, prepareProducts } from "./matrix-products.ts";
import { repeatedNoise, type WeightPool } from "./random-weights.ts";
import { median } from "./statistics.ts";
import type { Measure } from "./suites.ts";
import type { Prepared } from "./variant.ts";

/**
 * One feed-forward layer, forwards and backwards: the gradients of its weights and of its input, auxiliary losses included.
 * Beside it, as in a training case, its own matrix products alone.
 */
export async function prepareLayer(
  backend: Backend,
  pool: WeightPool,
  name: string,
  config: Pick<ModelConfig, "dModel" | "dFf" | "activation" | "feedForward">,
  { batch, length, units }: Pick<Measure, "batch" | "length" | "units">,
): Promise<Prepared> {
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
  const executable = await backend.compile(program);
  const products = await prepareProducts(backend, matrixProducts(program));
  const given = [
    repeatedNoise(shape, 1, 1),
    repeatedNoise(shape, 1, 2),
    hostTensor("int32", [2], [0, 0]),
    hostTensor("int32", [], [0]),
  ].map((value) => backend.upload(value));
  const held = pool.of(layer.params);
  const buffers = [...leaves<Tensor>(w).map(([path]) => held.get(path)!), ...given];
  const alone = `${name}: its products alone`;
  const round = async () => {
    const started = performance.now();
    for (let unit = 0; unit < units; unit++) {
      const outputs = executable.run(buffers);
      await outputs[0]!.read(); // and so all of them, which come together
      for (const output of outputs) output[Symbol.dispose]();
    }
    return (performance.now() - started) / 1000 / units;
  };
  return {
    name,
    parameters: parameterCount(layer.params),
    tokensPerUnit: batch * length,
    contestants: [
      { name, round },
      { name: alone, round: () => products.run() },
    ],
    bytesPerToken: () => null,
    rooflineShare: (samples) => median(samples.get(alone)!.seconds) / median(samples.get(name)!.seconds),
    gemmFlopsPerSecond: (samples) => products.flops / median(samples.get(alone)!.seconds),
    async [Symbol.asyncDispose]() {
      executable[Symbol.dispose]();
      products[Symbol.dispose]();
      for (const buffer of given) buffer[Symbol.dispose]();
    },
  };
}
