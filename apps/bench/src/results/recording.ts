import type { Backend, CompileOptions, Executable, Graph, KernelTime } from "@finegrain/graph";

/** A backend that remembers what it was asked to run. */
export interface Recording {
  readonly backend: Backend;
  /** Forget the runs so far, not the graphs. */
  reset(): void;
  /** Every graph that ran since the last reset, and how often. */
  runs(): ReadonlyMap<Graph, number>;
  /** Dispatches since the last reset, for each of so many units; null where the backend does not count them. */
  dispatches(units: number): number | null;
  /** Times by kernel since the last call, of the graphs that ran most. Empty where the backend cannot tell. */
  kernels(): KernelTime[];
}

/** `backend`, with a record of the graphs that run on it. Disposing of it is left to the one who opened it. */
export function recording(backend: Backend, { profile = false } = {}): Recording {
  const executables: Pick<Executable, "profile">[] = [];
  const runs = new Map<Graph, number>();
  let dispatches: number | null = 0;
  return {
    backend: {
      name: backend.name,
      device: backend.device,
      unsupported: backend.unsupported,
      ...(backend.storage && { storage: backend.storage }),
      ...(backend.memoryInUse && { memoryInUse: () => backend.memoryInUse!() }), // there by the line itself
      upload: (value) => backend.upload(value),
      async compile<I, O>(graph: Graph<I, O>, options?: CompileOptions): Promise<Executable<I, O>> {
        const executable = await backend.compile(graph, profile ? { ...options, profile } : options);
        executables.push(executable);
        const source = graph as unknown as Graph; // whatever its trees
        return {
          run(inputs) {
            runs.set(source, (runs.get(source) ?? 0) + 1);
            dispatches = executable.dispatches === undefined ? null : (dispatches ?? 0) + executable.dispatches;
            return executable.run(inputs);
          },
          [Symbol.dispose]: () => executable[Symbol.dispose](),
        };
      },
      async [Symbol.asyncDispose]() {},
    },
    reset() {
      runs.clear();
      dispatches = 0;
    },
    dispatches: (units) => (dispatches === null ? null : dispatches / units),
    runs: () => new Map(runs),
    kernels() {
      const times = executables.map((executable) => executable.profile?.() ?? []);
      const runsOf = (kernels: readonly KernelTime[]) => kernels[0]?.runs ?? 0;
      return times.reduce((most, kernels) => (runsOf(kernels) > runsOf(most) ? kernels : most), []);
    },
  };
}
