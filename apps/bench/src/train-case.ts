import { type Backend, hostTensor } from "@finegrain/graph";
import { type LanguageModel, parameterCount } from "@finegrain/nn";
import { adamW, createTrainer, schedule } from "@finegrain/train";
import { matrixProducts, prepareProducts } from "./matrix-products.ts";
import { recording } from "./recording.ts";
import { median } from "./statistics.ts";
import type { Measure } from "./suites.ts";
import type { Prepared } from "./variant.ts";

/** How the products are called that run beside a variant. */
const alone = (name: string) => `${name}: its products alone`;

/**
 * A model that trains on random bytes, and beside it the matrix products of its own step, alone on the same backend: what
 * the step could be if all else cost nothing. Both are measured in the same rounds.
 */
export async function prepareTraining(
  backend: Backend,
  name: string,
  model: LanguageModel,
  { batch, length, units }: Pick<Measure, "batch" | "length" | "units">,
): Promise<Prepared> {
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
  const ids = Int32Array.from({ length: batch * (length + 1) }, (_, i) => (i * 7919) % model.config.vocabulary);
  const tokens = hostTensor("int32", [batch, length + 1], ids);
  try {
    await trainer.run([tokens]); // compiles the step, and records its graph
  } catch (error) {
    await trainer[Symbol.asyncDispose]();
    throw error;
  }
  const steps = [...record.runs()].flatMap(([graph, runs]) => Array.from({ length: runs }, () => graph));
  const products = await prepareProducts(backend, steps.flatMap(matrixProducts));
  const step = async () => {
    const started = performance.now();
    for (let unit = 0; unit < units; unit++) await trainer.run([tokens]);
    return (performance.now() - started) / 1000 / units;
  };
  const seconds = (samples: ReadonlyMap<string, { readonly seconds: readonly number[] }>, of: string) =>
    median(samples.get(of)!.seconds);
  return {
    name,
    parameters: parameterCount(model.params),
    tokensPerUnit: batch * length,
    contestants: [
      { name, round: step },
      { name: alone(name), round: () => products.run() },
    ],
    bytesPerToken: () => null,
    rooflineShare: (samples) => seconds(samples, alone(name)) / seconds(samples, name),
    gemmFlopsPerSecond: (samples) => products.flops / seconds(samples, alone(name)),
    async [Symbol.asyncDispose]() {
      products[Symbol.dispose]();
      await trainer[Symbol.asyncDispose]();
    },
  };
}
