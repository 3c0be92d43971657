import { FinegrainError } from "@finegrain/graph";
import { control } from "./control.ts";
import { type WorkerMessage, type WorkerStart, workerLoop } from "./worker-loop.ts";

/** One worker, in Node or in a browser. */
interface Thread {
  post(message: WorkerMessage): void;
  /** Whether the program goes on for the worker's sake: where somebody waits for its answer. */
  keepAlive(needed: boolean): void;
}
type Loaded = (answer: { readonly loaded: number }) => void;

/** The threads of an engine besides the one that calls it. */
export class Workers {
  readonly #threads: readonly Thread[];
  readonly #words: Int32Array;
  readonly #waiting = new Map<number, { left: number; done: () => void }>();

  constructor(memory: WebAssembly.Memory, count: number) {
    this.#words = new Int32Array(memory.buffer, 0, 256);
    this.#threads = Array.from({ length: count }, (_, i) =>
      startThread({ memory, thread: i + 1, control }, ({ loaded }) => {
        const waiting = this.#waiting.get(loaded);
        if (!waiting || --waiting.left > 0) return;
        this.#waiting.delete(loaded);
        if (this.#waiting.size === 0) this.#keepAlive(false);
        waiting.done();
      }),
    );
  }

  /** Resolves when every worker can run the program. */
  load(program: number, module: WebAssembly.Module): Promise<void> {
    if (this.#threads.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.set(program, { left: this.#threads.length, done: resolve });
      this.#keepAlive(true);
      this.#post({ kind: "load", program, module });
    });
  }

  drop(program: number): void {
    this.#post({ kind: "drop", program });
  }

  stop(): void {
    this.#post({ kind: "stop" });
  }

  /** Have every worker run a program with the caller, who begins at once. */
  begin(program: number): void {
    if (this.#threads.length === 0) return;
    Atomics.store(this.#words, control.program / 4, program);
    Atomics.add(this.#words, control.runs / 4, 1);
    this.#wake();
  }

  #keepAlive(needed: boolean): void {
    for (const thread of this.#threads) thread.keepAlive(needed);
  }

  #post(message: WorkerMessage): void {
    if (this.#threads.length === 0) return;
    // Counted first: a worker that has read a message which is not counted yet would wait for another one.
    Atomics.add(this.#words, control.messages / 4, 1);
    for (const thread of this.#threads) thread.post(message);
    this.#wake();
  }

  #wake(): void {
    Atomics.add(this.#words, control.wake / 4, 1);
    Atomics.notify(this.#words, control.wake / 4);
  }
}

const NODE_WORKER = `
const { parentPort, workerData } = require("node:worker_threads");
(${workerLoop})(workerData, {
  onMessage: (listener) => parentPort.on("message", listener),
  post: (answer) => parentPort.postMessage(answer),
  close: () => parentPort.close(),
});`;

const PAGE_WORKER = `
onmessage = ({ data: start }) =>
  (${workerLoop})(start, {
    onMessage: (listener) => { onmessage = ({ data }) => listener(data); },
    post: (answer) => postMessage(answer),
    close: () => close(),
  });`;

/** @throws FinegrainError where this runtime has no workers. */
function startThread(start: WorkerStart, loaded: Loaded): Thread {
  const node = globalThis.process?.getBuiltinModule?.("node:worker_threads");
  if (node) {
    const worker = new node.Worker(NODE_WORKER, { eval: true, workerData: start });
    worker.on("message", loaded);
    // A program that has nothing else to do may end.
    worker.unref();
    return {
      post: (message) => worker.postMessage(message),
      keepAlive: (needed) => (needed ? worker.ref() : worker.unref()),
    };
  }
  if (typeof Worker === "undefined") throw new FinegrainError("this runtime has no workers: ask for 1 thread");
  const worker = new Worker(URL.createObjectURL(new Blob([PAGE_WORKER], { type: "text/javascript" })));
  worker.addEventListener("message", ({ data }) => loaded(data));
  worker.postMessage(start);
  return { post: (message) => worker.postMessage(message), keepAlive() {} };
}
