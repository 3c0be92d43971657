/*
 * Makes the pair of models that the page comes with, in public/models: a dense one, and a sparse one of as many weights. After a build:
 *
 *   node apps/playground/scripts/make-models.mjs
 *
 * Both learn to continue the speeches of @finegrain/runs, byte by byte, from the same batches. It takes about four minutes on a core, and
 * more steps make better models; a name, "dense" or "sparse", makes one of the two, so that they can be made side by side.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { openBackend } from "@finegrain/backends";
import { equalParameters, parameterCount, storeWeights, writeSafetensors } from "@finegrain/nn";
import { train } from "@finegrain/runs";

const STEPS = 300;
const BATCH = 8;
const LENGTH = 128;
/** Wide feed-forward layers, since they are what a sparse model reads less of. */
const dense = {
  vocabulary: 256,
  dModel: 96,
  dFf: 768,
  layers: 4,
  heads: 4,
  maxLength: LENGTH,
  positions: "rotary",
  loss: { type: "tied" },
};
const sparse = equalParameters(dense, { ...dense, feedForward: { type: "sparse", blockSize: 16 } });
const models = { dense, sparse };

const folder = new URL("../public/models/", import.meta.url);
const asked = process.argv.slice(2);

await using backend = await openBackend({ name: "wasm", threads: 1 });
for (const [name, model] of Object.entries(models).filter(([name]) => asked.length === 0 || asked.includes(name))) {
  const training = { steps: STEPS, batch: BATCH, length: LENGTH, learningRate: 0.004 };
  await using run = await train({
    backend,
    model,
    training,
    onStart: ({ model: { params } }) => console.log(`${name}: ${parameterCount(params)} weights`),
    onStep: ({ step, loss }) => step % 10 === 0 && console.log(`${name} ${step}: ${loss.toFixed(3)}`),
    onEvaluation: ({ step, bitsPerByte }) => console.log(`${name} ${step}: ${bitsPerByte.toFixed(3)} bits per byte`),
  });
  const own = new URL(`${name}/`, folder);
  await mkdir(own, { recursive: true });
  const { model: config, tokenizer } = run.config;
  const saved = { model: config, tokenizer, bitsPerByte: run.bitsPerByte };
  await writeFile(new URL("config.json", own), `${JSON.stringify(saved, null, 2)}\n`);
  const weights = storeWeights(run.model.params, await run.weights(), "float16");
  await writeFile(new URL("model.safetensors", own), writeSafetensors(weights));
}
