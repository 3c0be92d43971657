import { type WorkerAnswer, type WorkerMessage, type WorkerStart, workerLoop } from "./worker-loop.ts";

/*
 * What a worker runs, in Node and in a page. It is built twice: as a module beside the library, for bundlers and for pages
 * that allow workers from files only, and as a text within the library, for where there is no such file.
 */

const parent = globalThis.process?.getBuiltinModule?.("node:worker_threads")?.parentPort;

const post = (answer: WorkerAnswer): void => (parent ? parent.postMessage(answer) : postMessage(answer));

/** What comes first is what the worker is started with; the loop takes the rest. */
let receive = (first: WorkerStart | WorkerMessage): void => {
  workerLoop(first as WorkerStart, {
    onMessage: (listener) => {
      receive = listener as typeof receive; // nothing but messages comes any more
    },
    post,
    close: () => (parent ?? globalThis).close(),
  });
  post({ ready: true });
};

if (parent) parent.on("message", (data) => receive(data));
else addEventListener("message", ({ data }) => receive(data));
