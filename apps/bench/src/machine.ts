import { readFileSync } from "node:fs";
import { arch, availableParallelism, cpus, platform, release, totalmem } from "node:os";
import { Worker } from "node:worker_threads";
import type { Backend } from "@finegrain/graph";

/** What a result was measured on, and that machine's own limits, measured in the same run. */
export interface Machine {
  readonly cpu: string;
  readonly threads: number;
  readonly memoryBytes: number;
  readonly os: string;
  /** Best of the methods of `measureBandwidth`. */
  readonly bandwidthBytesPerSecond?: number;
  /** fp32 matrix products alone on the backend, at the case's shapes. */
  readonly gemmFlopsPerSecond?: number;
  /** The most memory that the process has had so far. */
  readonly peakMemoryBytes: number;
}

/** The machine as it is now, without its limits. */
export const machine = (): Machine => ({
  cpu: cpus()[0]?.model.trim() ?? arch(),
  threads: availableParallelism(),
  memoryBytes: totalmem(),
  os: `${platform()} ${release()} ${arch()}`,
  peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
});

/** Versions of what a result depends on. */
export const versions = (backend: Backend): Record<string, string> => ({
  finegrain: JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")).version,
  node: process.version,
  provider: backend.device.provider,
});

/** Sums its part of a shared buffer as often as it is asked. Eight sums at once, so that no addition waits for another. */
const SUMMER = `
const { parentPort, workerData } = require("node:worker_threads");
const { buffer, from, to } = workerData;
const x = new Float64Array(buffer, from * 8, to - from);
parentPort.on("message", () => {
  let a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
  for (let i = 0; i + 8 <= x.length; i += 8) {
    a += x[i]; b += x[i + 1]; c += x[i + 2]; d += x[i + 3];
    e += x[i + 4]; f += x[i + 5]; g += x[i + 6]; h += x[i + 7];
  }
  parentPort.postMessage(a + b + c + d + e + f + g + h);
});`;

/**
 * Memory bandwidth by plain sums over a buffer that no cache holds, one thread a core, in bytes a second: the fastest of
 * the passes.
 */
export async function plainSumBandwidth({ bytes = 2 ** 29, passes = 6 } = {}): Promise<number> {
  const buffer = new SharedArrayBuffer(bytes);
  new Float64Array(buffer).fill(1); // pages that were never written are all the same page
  const threads = availableParallelism();
  const share = Math.floor(bytes / 8 / threads);
  const workers = Array.from(
    { length: threads },
    (_, k) => new Worker(SUMMER, { eval: true, workerData: { buffer, from: k * share, to: (k + 1) * share } }),
  );
  try {
    let fastest = Number.POSITIVE_INFINITY;
    for (let pass = 0; pass < passes; pass++) {
      const started = performance.now();
      await Promise.all(workers.map(sum));
      // The first pass waits for the threads to start.
      if (pass > 0) fastest = Math.min(fastest, (performance.now() - started) / 1000);
    }
    return (share * threads * 8) / fastest;
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

const sum = (worker: Worker): Promise<void> =>
  new Promise((resolve, reject) => {
    worker.once("message", () => resolve());
    worker.once("error", reject);
    worker.postMessage("sum");
  });
