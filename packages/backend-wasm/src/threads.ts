/// <reference path="./text.d.ts" />
import { FinegrainError } from "@finegrain/graph";
import text from "./worker.ts?text";
import type { WorkerAnswer, WorkerMessage, WorkerStart } from "./worker-loop.ts";

/** One worker, in Node or in a page. */
export interface Thread {
  post(message: WorkerStart | WorkerMessage): void;
  /** Whether the program goes on for the worker's sake: where somebody waits for its answer. A page goes on anyway. */
  keepAlive(needed: boolean): void;
  end(): void;
}

export interface ThreadListener {
  answered(answer: WorkerAnswer): void;
  /** The worker is no more, or never was. */
  failed(reason: string): void;
}

/** One way to a worker. @throws where this runtime refuses it at once. */
type Open = (listener: ThreadListener) => Thread;

/** This runtime starts no workers, or has none. */
export class NoWorkersError extends FinegrainError {
  override readonly name = "NoWorkersError";
}

/** Milliseconds for a worker to say that it is there: a browser may refuse one without an event. */
const PATIENCE = 10_000;

/**
 * A worker for each start, once all are there.
 * @param listener hears what they tell after that.
 * @throws NoWorkersError where none of the ways to a worker is open, with each one's reason.
 */
export async function startThreads(starts: readonly WorkerStart[], listener: ThreadListener): Promise<Thread[]> {
  const [first, ...rest] = starts;
  if (!first) return [];
  const reasons: string[] = [];
  for (const open of waysToWorkers()) {
    const started: Thread[] = [];
    try {
      // One alone, so that a way that is not open is met once.
      started.push(await launch(open, first, listener));
      const others = await Promise.allSettled(rest.map((start) => launch(open, start, listener)));
      for (const other of others) if (other.status === "fulfilled") started.push(other.value);
      const refused = others.find((other) => other.status === "rejected");
      if (!refused) return started;
      reasons.push(reasonOf(refused.reason));
    } catch (error) {
      reasons.push(reasonOf(error));
    }
    for (const thread of started) thread.end();
  }
  throw new NoWorkersError(
    `no workers start here (${reasons.join("; ") || "this runtime has none"}): ask for 1 thread`,
  );
}

function launch(open: Open, start: WorkerStart, { answered, failed }: ThreadListener): Promise<Thread> {
  return new Promise((resolve, reject) => {
    let thread: Thread | undefined;
    let isReady = false;
    const fail = (reason: string): void => {
      clearTimeout(timer);
      thread?.end();
      if (isReady) failed(reason);
      else reject(new Error(reason));
    };
    const timer = setTimeout(() => fail(`a worker did not answer in ${PATIENCE / 1000} seconds`), PATIENCE);
    const hear = (answer: WorkerAnswer): void => {
      if ("loaded" in answer) {
        answered(answer);
        return;
      }
      clearTimeout(timer);
      isReady = true;
      thread!.keepAlive(false); // it has answered, so it is there
      resolve(thread!);
    };
    try {
      thread = open({ failed: fail, answered: hear });
      thread.post(start);
    } catch (error) {
      fail(reasonOf(error));
    }
  });
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split("\n")[0]!;

/** The ways to a worker, the better first. */
function waysToWorkers(): readonly Open[] {
  const node = globalThis.process?.getBuiltinModule?.("node:worker_threads");
  if (node) return [(listener) => nodeThread(node, listener)];
  return typeof Worker === "undefined" ? [] : [openFile, openText];
}

/** Of the text, since whatever Node runs may have been bundled into one file. */
function nodeThread(node: typeof import("node:worker_threads"), { answered, failed }: ThreadListener): Thread {
  // Neither flags nor NODE_OPTIONS of this process are for the worker: a module that is preloaded, say, or `--input-type`.
  const worker = new node.Worker(text, { eval: true, execArgv: [], env: {} });
  let ended = false;
  worker.on("message", answered);
  worker.on("error", (error) => failed(reasonOf(error)));
  worker.on("exit", (code) => {
    if (!ended && code !== 0) failed(`a worker ended with code ${code}`);
  });
  return {
    post: (message) => worker.postMessage(message),
    keepAlive: (needed) => (needed ? worker.ref() : worker.unref()),
    end() {
      ended = true;
      void worker.terminate();
    },
  };
}

/** The file beside this one. Vite and webpack know this form of words, and put the file where the page finds it. */
const openFile: Open = (listener) =>
  pageThread(new Worker(new URL("./worker.js", import.meta.url), { type: "module" }), "its file", listener);

/** Without a file: a bundle of one file, a page whose modules come from another origin. */
const openText: Open = (listener) => {
  const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  const forget = () => URL.revokeObjectURL(address);
  return pageThread(new Worker(address), "a blob", {
    answered(answer) {
      forget();
      listener.answered(answer);
    },
    failed(reason) {
      forget();
      listener.failed(reason);
    },
  });
};

/** @param source where the worker's program is from, for messages: a page is told nothing of why it cannot be had. */
function pageThread(worker: Worker, source: string, { answered, failed }: ThreadListener): Thread {
  worker.addEventListener("message", ({ data }) => answered(data));
  worker.addEventListener("messageerror", () => failed("a worker's message cannot be read"));
  worker.addEventListener("error", (event) => {
    event.preventDefault(); // it is said by whoever listens
    failed(event.message || `the page lets no worker start from ${source}`);
  });
  return { post: (message) => worker.postMessage(message), keepAlive() {}, end: () => worker.terminate() };
}
