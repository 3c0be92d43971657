import { onnxBackend } from "@finegrain/backend-onnx";
import { hostTensor } from "@finegrain/graph";
import { scalingLM } from "@finegrain/nn";
import { adamW, createTrainer } from "@finegrain/train";

const backend = await onnxBackend();
const small = process.argv[2] === "small";
const config = {
  vocabulary: 256,
  dModel: 256,
  dFf: 1024,
  layers: small ? 4 : 6,
  heads: 4,
  maxLength: 512,
  positions: small ? "rotary" : "learned",
  ...(process.argv[3] === "sparse" ? { feedForward: { type: "sparse", blockSize: 16, rank: 16 } } : {}),
} as any;
const [batch, length] = small ? [8, 128] : [8, 256];
const trainer = await createTrainer({
  backend,
  model: scalingLM(config),
  optimizer: adamW({}),
  schedule: () => 1e-4,
  batch,
  length,
  seed: 0,
  clipNorm: 1,
});
const tokens = hostTensor(
  "int32",
  [batch, length + 1],
  Int32Array.from({ length: batch * (length + 1) }, (_, i) => (i * 7919) % 256),
);
const n = Number(process.argv[4] ?? 40);
const ts: number[] = [];
for (let i = 0; i < n; i++) {
  const r = await trainer.run([tokens]);
  ts.push(r.milliseconds);
  if (i % 10 === 0) console.log(i, r.milliseconds.toFixed(0), "rss", (process.memoryUsage().rss / 1e6).toFixed(0));
}
ts.sort((a, b) => a - b);
console.log("median", ts[n >> 1]!.toFixed(1), "min", ts[0]!.toFixed(1));
await trainer[Symbol.asyncDispose]();
await backend[Symbol.asyncDispose]();
