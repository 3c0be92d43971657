/*
 * node scripts/long-attention.mjs [BACKEND] [LENGTHS] [KINDS]
 * The time of one attention layer of width 64 and one head, a token, against the length of a text: by hashes, by features and dense. Lengths
 * take turns within a kind. WebAssembly computes in one thread. Needs `npm run build`.
 */
import { openBackend } from "@finegrain/backends";
import { graph, hostTensor, input } from "@finegrain/graph";
import { catalogs, evaluation, initialize, mapParams } from "@finegrain/nn";

const [name = "onnx", lengths = "2048,16384", kinds = "lsh,favor,dense"] = process.argv.slice(2);
const DIMENSIONS = { dModel: 64, heads: 1 };
const OPTIONS = { lsh: { chunk: 64, hashes: 1, buckets: 32 } };
const ROUNDS = 7;

const backend = await openBackend({ name, ...(name === "wasm" && { threads: 1 }) });

async function prepared(kind, length) {
  const layer = catalogs.attention[kind]({ ...DIMENSIONS, ...OPTIONS[kind] });
  const inputs = [];
  const weights = mapParams(layer.params, ({ shape }) => {
    inputs.push(input(shape));
    return inputs.at(-1);
  });
  const x = input([1, length, DIMENSIONS.dModel]);
  const outputs = [layer.apply(weights, x, evaluation)];
  const executable = await backend.compile(graph({ inputs: [...inputs, x], outputs }));
  const values = Float32Array.from({ length: length * DIMENSIONS.dModel }, (_, i) => 2 * Math.sin(12.9898 * i));
  const given = [...initialize(layer.params, 1).values(), hostTensor("float32", x.shape, values)];
  return { length, executable, given: given.map((value) => backend.upload(value)), micros: [] };
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

for (const kind of kinds.split(",")) {
  const runs = [];
  for (const length of lengths.split(",").map(Number)) runs.push(await prepared(kind, length));
  for (let round = 0; round <= ROUNDS; round++)
    for (const { length, executable, given, micros } of runs) {
      const started = performance.now();
      const [y] = executable.run(given);
      await y.read();
      y[Symbol.dispose]();
      if (round > 0) micros.push((1000 * (performance.now() - started)) / length);
    }
  const found = runs.map(({ length, micros }) => [length, Number(median(micros).toFixed(2))]);
  const ratio = (found.at(-1)[1] / found[0][1]).toFixed(2);
  console.log(JSON.stringify({ backend: backend.name, kind, microsecondsPerToken: Object.fromEntries(found), ratio }));
  for (const { executable } of runs) executable[Symbol.dispose]();
}
process.exit(0);
