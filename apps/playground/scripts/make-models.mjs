/*
 * Makes the pair of models that the page comes with, in public/models: a dense one, and a sparse one of as many weights. After a build:
 *
 *   node apps/playground/scripts/make-models.mjs [--steps 2000] [--width 128] [--backend wasm] [dense] [sparse]
 *
 * Both are trained as benchmarks/studies/quality.json trains its "dense" and its "sparse 1 of 4", on which the sparse one learns as much:
 * its steps, batches, rate, decay and layers, at a width whose weights are a few megabytes. The runs are in runs/playground. Ctrl-C stops
 * with a checkpoint, and the same command goes on from there; with more --steps it goes on with runs that had ended.
 */
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openBackend } from "@finegrain/backends";
import { parseStudy, trainingOf } from "@finegrain/bench";
import { hostTensor, toFloat16 } from "@finegrain/graph";
import { parameterCount, writeSafetensors } from "@finegrain/nn";
import { CHECKPOINT_FILES, openRun, train } from "@finegrain/runs";

/** The study's variants, by what they are called on the page. */
const VARIANTS = { dense: "dense", sparse: "sparse 1 of 4" };
/** At which both learn best in the study. */
const RATE = 0.002;
const SEED = 1;

const root = new URL("../../../", import.meta.url);
const models = new URL("../public/models/", import.meta.url);
const STUDY = new URL("benchmarks/studies/quality.json", root);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    steps: { type: "string" },
    width: { type: "string", default: "128" },
    backend: { type: "string", default: "wasm" },
  },
});
const width = Number(values.width);
const json = JSON.parse(await readFile(STUDY, "utf8"));
const factor = width / json.model.dModel;
const sized = { ...json, model: { ...json.model, dModel: width, dFf: factor * json.model.dFf } };
const names = new Set(Object.values(VARIANTS));
const study = parseStudy({ ...sized, variants: json.variants.filter(({ name }) => names.has(name)) }, STUDY.pathname);
const steps = Number(values.steps ?? study.training.steps);

const stop = new AbortController();
process.once("SIGINT", () => stop.abort());
const backend = await openBackend({ name: values.backend });
for (const [name, of] of Object.entries(VARIANTS)) {
  if (stop.signal.aborted || (positionals.length > 0 && !positionals.includes(name))) continue;
  const { model } = study.variants.find((variant) => variant.name === of);
  const run = await trained(name, model);
  if (run.step >= steps) await save(name, run); // or it was stopped
  await run.close();
}
await backend[Symbol.asyncDispose]();

/** A run that has done its steps, or was stopped. */
async function trained(name, model) {
  const folder = fileURLToPath(new URL(`runs/playground/${name}-${width}`, root));
  const listener = {
    signal: stop.signal,
    onStart: ({ step, model: { params } }) =>
      console.log(`${name}: ${parameterCount(params)} weights, from step ${step} of ${steps}`),
    onStep: ({ step, loss, tokensPerSecond }) =>
      step % 10 === 0 && console.log(`${name} ${step}: ${loss.toFixed(3)}, ${Math.round(tokensPerSecond)} tokens/s`),
    onEvaluation: ({ step, bitsPerByte }) => console.log(`${name} ${step}: ${bitsPerByte.toFixed(3)} bits per byte`),
  };
  if (!existsSync(folder)) {
    const training = trainingOf(study, { rate: RATE, seed: SEED, steps });
    return train({ backend, out: folder, model, training, ...listener });
  }
  const done = await openRun(folder, { backend }).catch(() => undefined); // undefined: stopped before its first checkpoint
  if (done && done.step >= steps) return done;
  return train({ backend, resume: folder, training: { steps }, ...listener });
}

async function save(name, run) {
  const own = new URL(`${name}/`, models);
  await mkdir(own, { recursive: true });
  const { bitsPerByte } = await run.evaluate();
  console.log(`${name}: ${bitsPerByte.toFixed(3)} bits per byte on all of the held-out text`);
  const { model, tokenizer } = run.config;
  const config = `${JSON.stringify({ model, tokenizer, bitsPerByte }, null, 2)}\n`;
  await writeFile(new URL(CHECKPOINT_FILES.config, own), config);
  const weights = [...(await run.weights())].map(([path, weight]) => [
    path,
    weight.shape.length > 1 ? half(weight) : weight,
  ]);
  await writeFile(new URL(CHECKPOINT_FILES.model, own), writeSafetensors(new Map(weights)));
}

/** A matrix in float16. */
function half({ shape, data }) {
  return hostTensor("float16", shape, Uint16Array.from(data, toFloat16));
}
