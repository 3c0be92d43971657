import type { Spread } from "../src/measure/statistics.ts";
import type { Measurement, OpMeasurement, Result } from "../src/results/result.ts";

/** Result lines made up for tests of the report: round numbers that nothing measured. */

const around = (median: number): Spread => ({ median, low: median * 0.9, high: median * 1.15 });

const AT = {
  versions: { finegrain: "0.1.0", node: "v20.20.2", provider: "a provider" },
  machine: {
    ...{ cpu: "A made-up CPU", threads: 8, memoryBytes: 32e9, os: "linux", peakMemoryBytes: 4e9 },
    ...{ bandwidthBytesPerSecond: 30e9, flopsPerSecond: 200e9 },
  },
};
/** A GPU in another machine. */
const GPU = {
  device: "A made-up GPU",
  machine: { ...AT.machine, cpu: "Another CPU", bandwidthBytesPerSecond: 900e9, flopsPerSecond: 9e12 },
};

export const measurement = (fields: Partial<Measurement> = {}): Measurement => ({
  ...AT,
  ...{ suite: "paper-800m", case: "800M", phase: "decode", backend: "wasm", device: AT.machine.cpu, variant: "dense" },
  ...{ tokensPerSecond: around(20), millisecondsPerToken: 50, parameters: 37e7, bytesPerToken: 1.4e9 },
  ...{ rooflineShare: 0.8, overDense: { median: 1, low: 1, high: 1 }, rounds: 10 },
  ...fields,
});

const faster = (times: number, fields: Partial<Measurement>): Measurement =>
  measurement({
    tokensPerSecond: around(20 * times),
    millisecondsPerToken: 50 / times,
    overDense: around(times),
    ...fields,
  });

const op = (fields: Partial<OpMeasurement>): OpMeasurement => ({
  ...AT,
  ...{ suite: "ops", case: "matrix products", phase: "op", backend: "wasm", device: AT.machine.cpu, variant: "64" },
  ...{ op: "matrix product", shape: { M: 64 }, milliseconds: around(1), flops: 1e7, bytes: 1e6, intensity: 10 },
  ...{ bytesPerSecond: 1e9, flopsPerSecond: 1e10, rooflineShare: 0.5, rounds: 10 },
  ...fields,
});

/** Lines that fill every section: two machines, three backends. */
export const everySection: readonly Result[] = [
  measurement(),
  ...[
    ["sparse-ff", 1.8, 0.8e9],
    ["sparse-qkv", 1.3, 1.1e9],
    ["sparse-ff-qkv", 3.6, 0.3e9],
    ["sparse-ff-qkv-loss", 4.4, 0.15e9],
  ].flatMap(([variant, times, bytesPerToken]) => [
    faster(Number(times), { variant: String(variant), bytesPerToken: Number(bytesPerToken) }),
    faster(Number(times) * 9, {
      ...{ variant: String(variant), bytesPerToken: Number(bytesPerToken), backend: "onnx:cuda", ...GPU },
      overDense: around(Number(times) * 0.8),
    }),
  ]),
  measurement({ suite: "train-small", case: "6 layers", phase: "train", bytesPerToken: null }),
  faster(0.7, { suite: "train-small", case: "6 layers", phase: "train", variant: "sparse-ff", bytesPerToken: null }),
  ...["wasm", "onnx:cpu"].flatMap((backend, i) => [
    ...[8e6, 64e6, 512e6].flatMap((parameters) =>
      ["dense", "sparse"].map((variant, j) =>
        measurement({
          ...{
            suite: "scale",
            case: `${parameters / 1e6}M`,
            variant,
            backend,
            parameters,
            bytesPerToken: (4 * parameters) / (1 + 4 * j),
          },
          tokensPerSecond: around((5e9 * (1 + 3 * j)) / parameters / (1 + i)),
        }),
      ),
    ),
    ...[16, 256, 4096].map((context) =>
      measurement({
        suite: "context",
        case: `${context}`,
        backend,
        context,
        tokensPerSecond: around(40 - context / 200 - 9 * i),
      }),
    ),
    ...[0.25, 4, 60].flatMap((intensity) =>
      ["matrix product", "gather"].map((name, j) =>
        op({
          op: name,
          variant: `${name} ${intensity}`,
          backend,
          intensity,
          flops: intensity * 1e6,
          flopsPerSecond: Math.min(1.5e11, intensity * 2e10) / (1 + i + j),
          milliseconds: around((1e9 * intensity * (1 + i + j)) / Math.min(1.5e11, intensity * 2e10)),
        }),
      ),
    ),
  ]),
  {
    ...AT,
    suite: "scale",
    case: "8B",
    phase: "decode",
    backend: "wasm",
    device: AT.machine.cpu,
    variant: "dense",
    error: "out of memory",
  },
];

/** Metrics as `finegrain train` writes them. */
export const metrics = (floor: number): readonly object[] =>
  Array.from({ length: 400 }, (_, step) => [
    { step, loss: floor + 4 * Math.exp(-step / 80) + 0.1 * Math.sin(step * 12.9), tokens: 2048, milliseconds: 90 },
    ...(step % 50 === 49 ? [{ step, heldOutBitsPerByte: 1.5 * floor + 5 * Math.exp(-step / 80) }] : []),
  ]).flat();
