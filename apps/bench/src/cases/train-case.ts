import type { Backend } from "@finegrain/graph";
import { type LanguageModel, parameterCount, storedTypes } from "@finegrain/nn";
import { adamW, createTrainer, schedule } from "@finegrain/train";
import { matrixProducts } from "../limits/matrix-products.ts";
import { type ProductsBeside, productsBeside } from "../limits/products-beside.ts";
import { energyMeter } from "../measure/energy.ts";
import { expectRoom } from "../measure/memory.ts";
import { recording } from "../results/recording.ts";
import type { ModelFigures } from "../results/result.ts";
import type { Measure } from "../suites/suite.ts";
import { batchOf } from "./tokens.ts";
import { type Prepared, tokenSpeed } from "./variant.ts";

/**
 * A model that trains on random bytes, and beside it the matrix products of its own step, alone on the same backend: what
 * the step could be if all else cost nothing. Both are measured in the same rounds.
 */
export async function prepareTraining(
  backend: Backend,
  name: string,
  model: LanguageModel,
  { batch, length, units }: Pick<Measure, "batch" | "length" | "units">,
): Promise<Prepared<ModelFigures>> {
  // The weights, their gradients and the optimizer's two moments; what lies between the layers is not foreseen.
  const weights = [...storedTypes(model.params, "float32")].map(([, type]) => type);
  expectRoom(backend, [...weights, ...weights, ...weights, ...weights]);
  const record = recording(backend);
  const trainer = await createTrainer({
    backend: record.backend,
    model,
    optimizer: adamW({}),
    schedule: schedule({ kind: "constant", rate: 1e-4 }),
    batch,
    length,
    seed: 0,
  });
  const tokens = batchOf(model, { batch, length });
  let products: ProductsBeside;
  try {
    await trainer.run([tokens]); // compiles the step, and records its graph
    const steps = [...record.runs()].flatMap(([graph, runs]) => Array.from({ length: runs }, () => graph));
    products = await productsBeside(backend, name, steps.flatMap(matrixProducts));
  } catch (error) {
    await trainer[Symbol.asyncDispose]();
    throw error;
  }
  const energy = energyMeter();
  let dispatches: number | null = null;
  const round = async () => {
    energy.start();
    record.reset();
    const started = performance.now();
    for (let unit = 0; unit < units; unit++) await trainer.run([tokens]);
    const seconds = (performance.now() - started) / 1000 / units;
    energy.stop(units * batch * length);
    dispatches = record.dispatches(units);
    return seconds;
  };
  return {
    name,
    contestants: [{ name, round }, products.contestant],
    figures: (rounds) => ({
      phase: "train",
      ...tokenSpeed(rounds.get(name)!.seconds, batch * length),
      parameters: parameterCount(model.params),
      bytesPerToken: null,
      rooflineShare: products.share(rounds),
      joulesPerToken: energy.joulesPerUnit(),
      dispatches,
    }),
    productRate: (rounds) => products.rate(rounds),
    async [Symbol.asyncDispose]() {
      products[Symbol.dispose]();
      await trainer[Symbol.asyncDispose]();
    },
  };
}
