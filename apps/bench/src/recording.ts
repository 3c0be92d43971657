import type { Backend, CompileOptions, Executable, Graph } from "@finegrain/graph";

/** A backend that remembers what it was asked to run. */
export interface Recording {
  readonly backend: Backend;
  /** Forget the runs so far, not the graphs. */
  reset(): void;
  /** Every graph that ran since the last reset, and how often. */
  runs(): ReadonlyMap<Graph, number>;
}

/** `backend`, with a record of the graphs that run on it. Disposing of it is left to the one who opened it. */
export function recording(backend: Backend): Recording {
  const runs = new Map<Graph, number>();
  return {
    backend: {
      name: backend.name,
      device: backend.device,
      unsupported: backend.unsupported,
      upload: (value) => backend.upload(value),
      async compile(graph: Graph, options?: CompileOptions): Promise<Executable> {
        const executable = await backend.compile(graph, options);
        return {
          run(inputs) {
            runs.set(graph, (runs.get(graph) ?? 0) + 1);
            return executable.run(inputs);
          },
          [Symbol.dispose]: () => executable[Symbol.dispose](),
        };
      },
      async [Symbol.asyncDispose]() {},
    },
    reset: () => runs.clear(),
    runs: () => new Map(runs),
  };
}
