import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { control } from "../src/control.ts";
import { NoWorkersError, startThreads } from "../src/threads.ts";
import { Workers } from "../src/workers.ts";

/** What a page does with a worker. */
type Behaviour = "answers" | "refuses" | "throws" | "is silent";

/** A page's `Worker`, from a file or from a blob, that does as it is told. */
class FakeWorker extends EventTarget {
  static file: Behaviour;
  static blob: Behaviour;
  static started: string[] = [];
  static ended = 0;
  static last: FakeWorker;

  constructor(address: string | URL) {
    super();
    const source = String(address).startsWith("blob:") ? "blob" : "file";
    const behaviour = FakeWorker[source];
    if (behaviour === "throws") throw new Error(`no worker from a ${source}`);
    FakeWorker.last = this;
    FakeWorker.started.push(source);
    if (behaviour === "answers") queueMicrotask(() => this.says({ ready: true }));
    if (behaviour === "refuses") queueMicrotask(() => this.dispatchEvent(new Event("error")));
  }
  says(data: unknown): void {
    this.dispatchEvent(new MessageEvent("message", { data }));
  }
  postMessage(): void {}
  terminate(): void {
    FakeWorker.ended++;
  }
}

const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
const starts = [1, 2].map((thread) => ({ memory, thread, control }));
const listener = { answered() {}, failed() {} };

beforeEach(() => {
  vi.spyOn(process, "getBuiltinModule").mockReturnValue(undefined); // as in a page
  vi.stubGlobal("Worker", FakeWorker);
  Object.assign(FakeWorker, { started: [], ended: 0 });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

test.each<[Behaviour, Behaviour, string[]]>([
  ["answers", "answers", ["file", "file"]],
  ["refuses", "answers", ["file", "blob", "blob"]],
  ["throws", "answers", ["blob", "blob"]],
])("where the file %s and a blob %s, workers are of %j", async (file, blob, started) => {
  Object.assign(FakeWorker, { file, blob });
  expect(await startThreads(starts, listener)).toHaveLength(2);
  expect(FakeWorker.started).toEqual(started);
  expect(FakeWorker.ended).toBe(file === "refuses" ? 1 : 0);
});

test("a file that does not answer is given up for a blob", async () => {
  vi.useFakeTimers();
  Object.assign(FakeWorker, { file: "is silent", blob: "answers" });
  const starting = startThreads(starts, listener);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(await starting).toHaveLength(2);
  expect(FakeWorker.ended).toBe(1);
});

test("where nothing starts, every reason is said", async () => {
  Object.assign(FakeWorker, { file: "throws", blob: "refuses" });
  await expect(startThreads(starts, listener)).rejects.toThrow(
    new NoWorkersError(
      "no workers start here (no worker from a file; the page lets no worker start from a blob): ask for 1 thread",
    ),
  );
});

test("a worker that ends later fails what waits for it, and all that follows", async () => {
  Object.assign(FakeWorker, { file: "answers" });
  const workers = await Workers.start(memory, 1);
  const loading = workers.load(0, new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)));
  FakeWorker.last.dispatchEvent(Object.assign(new Event("error"), { message: "out of memory" }));
  const sentence = "a thread of wasm ended (out of memory): open the backend again";
  await expect(loading).rejects.toThrow(sentence);
  expect(() => workers.begin(0, 0)).toThrow(sentence);
  await expect(workers.load(1, new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)))).rejects.toThrow(
    sentence,
  );
  // Whoever is at a barrier goes on from there.
  expect(Atomics.load(new Int32Array(memory.buffer), control.failed / 4)).toBe(1);
});
