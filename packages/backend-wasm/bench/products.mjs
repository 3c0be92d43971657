/**
 * The product of two float32 matrices of 1024 x 1024, in turns: this engine on one thread and on two, and tf.matMul on TensorFlow.js's
 * WebAssembly engine, which has one thread in Node.
 *
 *   npm run build && node packages/backend-wasm/bench/products.mjs
 */
import { wasmBackend } from "@finegrain/backend-wasm";
import { einsum, graph, hostTensor, input } from "@finegrain/graph";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-wasm";

const SIDE = 1024;
const ROUNDS = 15;
const shape = [SIDE, SIDE];
const numbers = Float32Array.from({ length: SIDE * SIDE }, (_, i) => Math.sin(i) / 10);

async function ours(threads) {
  const backend = await wasmBackend({ threads });
  const [x, y] = [input(shape), input(shape)];
  const product = await backend.compile(graph({ inputs: [x, y], outputs: [einsum(x, y, "M K, K N -> M N")] }));
  const given = [0, 1].map(() => backend.upload(hostTensor("float32", shape, numbers)));
  return () => product.run(given)[0][Symbol.dispose]();
}

await tf.setBackend("wasm");
const [a, b] = [0, 1].map(() => tf.tensor(numbers, shape));
const contestants = {
  "finegrain on 1 thread": await ours(1),
  "finegrain on 2 threads": await ours(2),
  "tfjs wasm": () => tf.matMul(a, b).dispose(),
};
const times = new Map(Object.keys(contestants).map((name) => [name, []]));
for (let round = -3; round < ROUNDS; round++)
  for (const [name, run] of Object.entries(contestants)) {
    const started = performance.now();
    run();
    if (round >= 0) times.get(name).push(performance.now() - started);
  }
const median = (list) => list.toSorted((x, y) => x - y)[list.length >> 1];
const peer = median(times.get("tfjs wasm"));
for (const [name, list] of times) {
  const ms = median(list);
  console.log(`${name}: ${((2 * SIDE ** 3) / ms / 1e6).toFixed(1)} GFLOP/s, ${(peer / ms).toFixed(2)} times tfjs wasm`);
}
