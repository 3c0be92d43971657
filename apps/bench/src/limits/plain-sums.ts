import type { Worker } from "node:worker_threads";
import { builtIn } from "../measure/node.ts";

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

/**
 * A buffer of `bytes`, and a thread a core that sums its share of it: what memory gives with nothing in between.
 * @returns undefined in a page, whose threads are others.
 */
export function plainSums(bytes: number): PlainSums | undefined {
  const [os, threading, events] = [builtIn("node:os"), builtIn("node:worker_threads"), builtIn("node:events")];
  if (!os || !threading || !events) return undefined;
  const buffer = new SharedArrayBuffer(bytes);
  new Float64Array(buffer).fill(1); // pages that were never written are all the same page
  const threads = os.availableParallelism();
  const share = Math.floor(bytes / 8 / threads);
  const workers = Array.from(
    { length: threads },
    (_, k) =>
      new threading.Worker(SUMMER, { eval: true, workerData: { buffer, from: k * share, to: (k + 1) * share } }),
  );
  return {
    async secondsPerByte() {
      const started = performance.now();
      await Promise.all(workers.map((worker) => sum(worker, events)));
      return (performance.now() - started) / 1000 / (share * threads * 8);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

async function sum(worker: Worker, { once }: typeof import("node:events")): Promise<void> {
  worker.postMessage("sum");
  await once(worker, "message"); // rejects where the thread fails first
}
