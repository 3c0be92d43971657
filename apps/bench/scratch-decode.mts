import { onnxBackend } from "@finegrain/backend-onnx";
import { type Buffer, bytesRead, graph, hostTensor, input, size, type Tensor } from "@finegrain/graph";
import { leaves, mapParams, mapTree, presets, scalingLM } from "@finegrain/nn";

const backend = await onnxBackend();
const list = (t: any) => leaves<Tensor>(t).map(([, x]) => x);
const cap = Number(process.argv[2] ?? 128);
async function open(name: keyof typeof presets) {
  const model = scalingLM(presets[name] as any);
  const t0 = performance.now();
  const block = new Float32Array(1 << 20).map(() => (Math.random() - 0.5) * 0.05);
  const ws: Buffer[] = leaves<any>(model.params as any).map(([, p]) => {
    const d = new Float32Array(size(p.shape));
    for (let o = 0; o < d.length; o += block.length) d.set(block.subarray(0, Math.min(block.length, d.length - o)), o);
    return backend.upload(hostTensor("float32", p.shape, d));
  });
  const w = mapParams(model.params, ({ shape }, path) => input(shape, "float32", path));
  const types = model.caches(1, cap);
  let caches: Buffer[] = leaves<any>(types).map(([, t]) =>
    backend.upload(hostTensor("float32", t.shape, new Float32Array(size(t.shape)))),
  );
  const ci = mapTree(types as any, (t: any, path) => input(t.shape, t.dtype, path));
  const [tok, pos] = [input([1, 1], "int32"), input([], "int32")];
  const next = model.decode(w as any, tok, ci as any, pos);
  const inputs = [...list(w), ...list(ci), tok, pos];
  const first = inputs.length - 2 - caches.length;
  const g = graph({ name: "decode", inputs, outputs: [...list(next.caches), next.logits] });
  const t1 = performance.now();
  const ex = await backend.compile(g, { donate: caches.map((_, i) => [first + i, i] as const) });
  console.log(
    name,
    "init",
    (t1 - t0).toFixed(0),
    "compile ms",
    (performance.now() - t1).toFixed(0),
    "nodes",
    g.nodes.length,
    "rss MB",
    (process.memoryUsage().rss / 1e6).toFixed(0),
    "bytes MB",
    bytesRead(g) / 1e6,
  );
  return {
    bytes: bytesRead(g),
    close: () => ex[Symbol.dispose](),
    step: async (at: number) => {
      const out = ex.run([
        ...ws,
        ...caches,
        backend.upload(hostTensor("int32", [1, 1], [at % 100])),
        backend.upload(hostTensor("int32", [], [at])),
      ]);
      caches = out.slice(0, -1);
      await out.at(-1)!.read();
    },
  };
}
(globalThis as any).P = process.argv[3] === "profile";
const models: any = (globalThis as any).P
  ? { sparse: await open((process.argv[4] as any) ?? "paper-800m-sparse") }
  : { dense: await open("paper-800m-dense"), sparse: await open("paper-800m-sparse") };
const times: Record<string, number[]> = Object.fromEntries(Object.keys(models).map((k) => [k, []]));
const at = 0;
for (let r = 0; r < 8; r++)
  for (const [n, m] of Object.entries<any>(models))
    for (let i = 0; i < 4; i++) {
      const t = performance.now();
      await m.step((r * 4 + i) % cap);
      times[n]!.push(performance.now() - t);
    }
for (const [n, ts] of Object.entries(times)) {
  const s = ts.slice(4).sort((a, b) => a - b);
  const med = s[s.length >> 1]!;
  console.log(
    n,
    "median ms",
    med.toFixed(2),
    "min",
    s[0]!.toFixed(2),
    "GB/s",
    (models[n as "dense"].bytes / med / 1e6).toFixed(1),
  );
}
for (const m of Object.values<any>(models)) m.close();
await backend[Symbol.asyncDispose]();
