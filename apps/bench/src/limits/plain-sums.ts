import { once } from "node:events";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";

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

/** Threads that can sum a buffer. */
export interface PlainSums extends AsyncDisposable {
  /** Sum it once, all threads at once. @returns seconds a byte. */
  secondsPerByte(): Promise<number>;
}

/** A buffer of `bytes`, and a thread a core that sums its share of it: what memory gives with nothing in between. */
export function plainSums(bytes: number): PlainSums {
  const buffer = new SharedArrayBuffer(bytes);
  new Float64Array(buffer).fill(1); // pages that were never written are all the same page
  const threads = availableParallelism();
  const share = Math.floor(bytes / 8 / threads);
  const workers = Array.from(
    { length: threads },
    (_, k) => new Worker(SUMMER, { eval: true, workerData: { buffer, from: k * share, to: (k + 1) * share } }),
  );
  return {
    async secondsPerByte() {
      const started = performance.now();
      await Promise.all(workers.map(sum));
      return (performance.now() - started) / 1000 / (share * threads * 8);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

async function sum(worker: Worker): Promise<void> {
  worker.postMessage("sum");
  await once(worker, "message"); // rejects where the thread fails first
}
