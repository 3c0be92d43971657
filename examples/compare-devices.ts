/*
 * One graph on two devices: how long a run takes on each, and how far its numbers are from the reference, which computes in
 * float64.
 *
 *   node examples/compare-devices.ts wasm onnx:webgpu      # Node 24; with Node 20 by npx tsx
 */
import { backendOptions, openBackend } from "@finegrain/backends";
import { einsum, evaluate, graph, hostTensor, input, relu } from "@finegrain/graph";

const ROWS = 64;
const WIDTH = 256;
const RUNS = 20;

// A layer of a model: y = relu(x·w). What it is does not depend on who runs it.
const x = input([ROWS, WIDTH], "float32", "x");
const w = input([WIDTH, WIDTH], "float32", "w");
const layer = graph({ name: "layer", inputs: [x, w], outputs: [relu(einsum(x, w, "B D, D F -> B F"))] });

const waves = (count: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(i * 0.37));
const values = [
  hostTensor("float32", [ROWS, WIDTH], waves(ROWS * WIDTH)),
  hostTensor("float32", [WIDTH, WIDTH], waves(WIDTH * WIDTH)),
] as const;
const expected = evaluate(layer, values)[0]!.data;

const given = process.argv.slice(2);
for (const place of given.length > 0 ? given : ["wasm", "reference"]) {
  const [name, device] = place.split(":");
  // What was asked for is what runs: where it is not there, this throws a sentence that says how to add it.
  await using backend = await openBackend(backendOptions(name, device));
  using executable = await backend.compile(layer);
  const inputs = values.map((value) => backend.upload(value));
  const run = async () => {
    const [output] = executable.run(inputs); // is queued: only reading waits
    const { data } = await output!.read();
    output![Symbol.dispose]();
    return data;
  };

  const found = await run();
  const error = Math.max(...Array.from(found, (y, i) => Math.abs(y - expected[i]!)));
  const start = performance.now();
  for (let i = 0; i < RUNS; i++) await run();
  const milliseconds = (performance.now() - start) / RUNS;
  console.log(`${backend.name}: ${milliseconds.toFixed(2)} ms, largest error ${error.toExponential(1)}`);
  for (const buffer of inputs) buffer[Symbol.dispose]();
}
