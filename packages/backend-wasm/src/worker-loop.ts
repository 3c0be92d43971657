/** What a worker is started with. */
export interface WorkerStart {
  readonly memory: WebAssembly.Memory;
  /** 1 or more: 0 is the thread that everything is called from. */
  readonly thread: number;
  readonly control: Readonly<
    Record<"wake" | "runs" | "program" | "part" | "messages" | "failed" | "generation", number>
  >;
}

/** What a worker is told. */
export type WorkerMessage =
  | { readonly kind: "load"; readonly program: number; readonly module: WebAssembly.Module }
  | { readonly kind: "drop"; readonly program: number }
  | { readonly kind: "stop" };

/** What a worker tells: that it is there, once, and which program it can run. */
export type WorkerAnswer = { readonly ready: true } | { readonly loaded: number };

/** The ends of the channel to the thread that started the worker. */
export interface Port {
  onMessage(listener: (message: WorkerMessage) => void): void;
  post(answer: WorkerAnswer): void;
  close(): void;
}

/**
 * A worker's whole life: it waits for runs and goes through each program with the others, and between runs takes messages.
 */
export function workerLoop({ memory, thread, control }: WorkerStart, port: Port): void {
  const NAP = 50; // milliseconds
  const words = new Int32Array(memory.buffer, 0, 256);
  const word = (name: keyof WorkerStart["control"]) => control[name] / 4;
  const programs = new Map<number, WebAssembly.Instance>();
  let [runs, messages, stopped, idle] = [0, 0, false, false];

  const run = (): void => {
    const program = programs.get(Atomics.load(words, word("program")))!;
    try {
      (program.exports[`run${Atomics.load(words, word("part"))}`] as (thread: number, maySleep: number) => void)(
        thread,
        1,
      );
    } catch {
      // The thread that called meets this at its next barrier, and says it.
      Atomics.store(words, word("failed"), 1);
      Atomics.notify(words, word("generation"));
    }
  };
  // ES2024, so the library's types do not know it yet; Firefox does not before 145.
  const { waitAsync } = Atomics as {
    waitAsync?(words: Int32Array, index: number, seen: number): { readonly value: Promise<string> | string };
  };
  /** Out of the way of everything else in this thread, until something changes. */
  const rest = (seen: number): void => {
    idle = true;
    void Promise.resolve(waitAsync!(words, word("wake"), seen).value).then(() => {
      idle = false;
      wait();
    });
  };
  const wait = (): void => {
    while (!stopped) {
      const seen = Atomics.load(words, word("wake"));
      if (Atomics.load(words, word("runs")) !== runs) {
        runs = Atomics.load(words, word("runs"));
        run();
      } else if (Atomics.load(words, word("messages")) !== messages) return;
      else {
        // Runs often follow each other at once: it is faster to look for a while than to be woken.
        let spins = 300_000;
        while (spins > 0 && Atomics.load(words, word("wake")) === seen) spins--;
        if (spins > 0) continue;
        // A thread that sleeps here wakes fast, but does nothing else: its runtime cannot even collect its garbage.
        const slept = Atomics.wait(words, word("wake"), seen, waitAsync ? NAP : Number.POSITIVE_INFINITY);
        if (slept !== "timed-out") continue;
        rest(seen);
        return;
      }
    }
  };
  port.onMessage((message) => {
    messages++;
    if (message.kind === "load") {
      programs.set(message.program, new WebAssembly.Instance(message.module, { env: { memory, mark() {} } }));
      port.post({ loaded: message.program });
    } else if (message.kind === "drop") programs.delete(message.program);
    else {
      stopped = true;
      port.close();
    }
    // A resting thread wakes by itself: messages change what it rests on.
    if (!idle) wait();
  });
}
