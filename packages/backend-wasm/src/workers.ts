import { FinegrainError } from "@finegrain/graph";
import { control } from "./control.ts";
import { startThreads, type Thread } from "./threads.ts";
import type { WorkerMessage } from "./worker-loop.ts";

/** Whoever waits until every worker can run a program. */
interface Waiting {
  left: number;
  done(): void;
  failed(error: FinegrainError): void;
}

/** The threads of an engine besides the one that calls it. */
export class Workers {
  readonly #words: Int32Array;
  readonly #waiting = new Map<number, Waiting>();
  #threads: readonly Thread[] = [];
  #failure: FinegrainError | undefined;

  private constructor(memory: WebAssembly.Memory) {
    this.#words = new Int32Array(memory.buffer, 0, 256);
  }

  /** @throws NoWorkersError where they do not start. */
  static async start(memory: WebAssembly.Memory, count: number): Promise<Workers> {
    const workers = new Workers(memory);
    const starts = Array.from({ length: count }, (_, i) => ({ memory, thread: i + 1, control }));
    workers.#threads = await startThreads(starts, {
      answered: (answer) => "loaded" in answer && workers.#loaded(answer.loaded),
      failed: (reason) => workers.#fail(reason),
    });
    return workers;
  }

  /** Resolves when every worker can run the program. @throws FinegrainError where one cannot. */
  load(program: number, module: WebAssembly.Module): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure);
    if (this.#threads.length === 0) return Promise.resolve();
    return new Promise((done, failed) => {
      this.#waiting.set(program, { left: this.#threads.length, done, failed });
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

  /** Have every worker run a part of a program with the caller, who begins at once. @throws FinegrainError where one has ended. */
  begin(program: number, part: number): void {
    if (this.#failure) throw this.#failure;
    if (this.#threads.length === 0) return;
    Atomics.store(this.#words, control.program / 4, program);
    Atomics.store(this.#words, control.part / 4, part);
    Atomics.add(this.#words, control.runs / 4, 1);
    this.#wake();
  }

  #loaded(program: number): void {
    const waiting = this.#waiting.get(program);
    if (!waiting || --waiting.left > 0) return;
    this.#waiting.delete(program);
    if (this.#waiting.size === 0) this.#keepAlive(false);
    waiting.done();
  }

  /** A worker has ended: nothing can be run any more, and nobody waits for it. */
  #fail(reason: string): void {
    this.#failure ??= new FinegrainError(`a thread of wasm ended (${reason}): open the backend again`);
    Atomics.store(this.#words, control.failed / 4, 1);
    Atomics.notify(this.#words, control.generation / 4);
    for (const { failed } of this.#waiting.values()) failed(this.#failure);
    this.#waiting.clear();
    this.#keepAlive(false);
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
