import type { JobName, Jobs, Reply, Request } from "../protocol.ts";

interface Running {
  tell(event: unknown): void;
  resolve(result: unknown): void;
  reject(error: Error): void;
}

export interface RunOptions<N extends JobName> {
  onEvent?(event: Jobs[N]["event"]): void;
  /** An abort asks the job to end; it says how it ended. */
  readonly signal?: AbortSignal;
}

/** A worker as the page sees it. One that was ended, or ended by itself, is started again by the next job. */
export class WorkerClient {
  #worker: Worker | undefined;
  #next = 0;
  readonly #running = new Map<number, Running>();

  /**
   * Have the worker do a job.
   * @throws Error the sentence that the job failed with.
   */
  run<N extends JobName>(
    job: N,
    input: Jobs[N]["input"],
    { onEvent, signal }: RunOptions<N> = {},
  ): Promise<Jobs[N]["result"]> {
    const worker = this.#started();
    const id = this.#next++;
    signal?.addEventListener("abort", () => worker.postMessage({ id, stop: true } satisfies Request));
    return new Promise((resolve, reject) => {
      this.#running.set(id, {
        tell: (event) => onEvent?.(event as Jobs[N]["event"]), // as the worker's own type of the job says
        resolve: (result) => resolve(result as Jobs[N]["result"]),
        reject,
      });
      worker.postMessage({ id, job, input });
      if (signal?.aborted) worker.postMessage({ id, stop: true } satisfies Request);
    });
  }

  /** End the worker, and with it all that it holds of memory and devices. */
  end(reason = "it was ended"): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const { reject } of this.#running.values()) reject(new Error(reason));
    this.#running.clear();
  }

  #started(): Worker {
    if (this.#worker) return this.#worker;
    const worker = new Worker(new URL("../worker/worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<Reply>) => this.#hear(data);
    worker.onerror = ({ message }) => this.end(message || "the worker did not start");
    this.#worker = worker;
    return worker;
  }

  #hear(reply: Reply): void {
    const job = this.#running.get(reply.id);
    if (job === undefined) return;
    if ("event" in reply) {
      job.tell(reply.event);
      return;
    }
    this.#running.delete(reply.id);
    if ("error" in reply) job.reject(new Error(reply.error));
    else job.resolve(reply.result);
  }
}
