/**
 * Matrix products by this backend against tf.matMul alone on the same shapes, in turns: those of the suite train-small.
 *
 *   npm run build && node packages/backend-tfjs/bench/products.mjs native|wasm
 */
import { tfjsBackend } from "@finegrain/backend-tfjs";
import { einsum, graph, hostTensor, input, size } from "@finegrain/graph";
import * as tf from "@tensorflow/tfjs-core";

const device = process.argv[2] ?? "native";
const ROUNDS = 11;
/** [batch, m, k, n], and the einsum that asks for it: plain, or with an operand that is read the other way round. */
const PRODUCTS = [
  [1, 2048, 256, 256, "B M K, B K N -> B M N"],
  [1, 2048, 256, 1024, "B M K, B K N -> B M N"],
  [1, 2048, 1024, 256, "B M K, B K N -> B M N"],
  [1, 2048, 1024, 256, "B M K, B N K -> B M N"],
  [1, 256, 2048, 1024, "B K M, B K N -> B M N"],
  [32, 256, 64, 256, "B M K, B N K -> B M N"],
  [32, 256, 256, 64, "B M K, B K N -> B M N"],
];

const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
const noise = (shape) => Float32Array.from({ length: size(shape) }, (_, i) => Math.sin(i) / 10);

const backend = await tfjsBackend({ device });
await tf.setBackend(device === "native" ? "tensorflow" : device);
const total = { ours: 0, theirs: 0 };
for (const [batch, m, k, n, text] of PRODUCTS) {
  const extents = { B: batch, M: m, K: k, N: n };
  const shapes = text
    .split(" -> ")[0]
    .split(", ")
    .map((axes) => axes.split(" ").map((axis) => extents[axis]));
  const [x, y] = shapes.map((shape) => input(shape));
  const product = await backend.compile(graph({ inputs: [x, y], outputs: [einsum(x, y, text)] }));
  const given = shapes.map((shape) => backend.upload(hostTensor("float32", shape, noise(shape))));
  const [a, b] = shapes.map((shape) => tf.tensor(noise(shape), shape));
  const [flipA, flipB] = [text.startsWith("B K M"), text.includes("B N K")];
  const contestants = {
    ours: () => product.run(given)[0][Symbol.dispose](),
    theirs: () => tf.matMul(a, b, flipA, flipB).dispose(),
  };
  const times = { ours: [], theirs: [] };
  for (let round = -2; round < ROUNDS; round++)
    for (const name of round % 2 ? ["ours", "theirs"] : ["theirs", "ours"]) {
      const started = performance.now();
      contestants[name]();
      if (round >= 0) times[name].push(performance.now() - started);
    }
  const [ours, theirs] = [median(times.ours), median(times.theirs)];
  total.ours += ours;
  total.theirs += theirs;
  const gflops = (ms) => ((2 * batch * m * k * n) / ms / 1e6).toFixed(1).padStart(6);
  console.log(`${text}  ${[batch, m, k, n]}  ${gflops(ours)} GFLOP/s, tf.matMul ${gflops(theirs)}`);
  for (const held of [...given, product]) held[Symbol.dispose]();
  for (const tensor of [a, b]) tensor.dispose();
}
console.log(`${device}: ${((100 * total.theirs) / total.ours).toFixed(0)} % of tf.matMul's rate over all`);
