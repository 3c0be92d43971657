/*
 * What is in a checkpoint, without a backend: the model's config, and every tensor with its shape and the root of its mean square.
 * The tensors are a safetensors file, which other programs read too.
 *
 *   node examples/read-checkpoint.ts runs/mine/checkpoints      # Node 24; with Node 20 by npx tsx
 */
import { openCheckpoint } from "@finegrain/runs";

const [path = "runs/demo/sparse/checkpoints"] = process.argv.slice(2);

const checkpoint = await openCheckpoint(path); // a folder of checkpoints stands for its newest one
console.log(`${checkpoint.path}, step ${checkpoint.step}`);
console.log(JSON.stringify(checkpoint.config));

let weights = 0;
for (const [name, { dtype, shape, data }] of await checkpoint.readModel()) {
  let squares = 0;
  for (const value of data) squares += value * value;
  console.log(`${name}  ${dtype} [${shape.join(", ")}]  ${Math.sqrt(squares / data.length).toFixed(4)}`);
  weights += data.length;
}
console.log(`${weights} weights`);
