/*
 * Trains a small sparse model on a text of your own, lets it write, and opens it again from its folder:
 *
 *   node examples/train.ts my.txt runs/mine      # Node 24; with Node 20 by npx tsx
 */
import { openBackend, openRun, readText, train } from "finegrain";

const [path = "README.md", out = "runs/example", steps = "200"] = process.argv.slice(2);

await using backend = await openBackend();
await using run = await train({
  backend,
  out,
  data: await readText(path),
  model: { layers: 2, dModel: 64, heads: 4, feedForward: { type: "sparse", blockSize: 16 } },
  training: { steps: Number(steps), batch: 4, length: 64 },
  onEvaluation: ({ step, bitsPerByte }) => console.log(`step ${step}: ${bitsPerByte.toFixed(3)} bits per byte`),
});
for await (const { text } of run.generate("It is ", { maxTokens: 40 })) process.stdout.write(text);
console.log();

await using opened = await openRun(out, { backend });
const { bitsPerByte, bytes } = await opened.evaluate();
console.log(`${bitsPerByte.toFixed(3)} bits per byte on ${bytes} bytes that it was not trained on`);
