import { type CompiledAmongRanks, compileAmongRanks, type Exchange } from "@finegrain/distributed";
import { type Backend, type Buffer, type Compiled, disposeTree, Once, type StopSignal } from "@finegrain/graph";
import type { BatchSize, HeldOutBatch } from "./data/index.ts";
import { type EvaluationConfig, evaluationGraph } from "./train-step.ts";

/** Measures a model on held-out text. */
export interface Evaluator extends AsyncDisposable {
  /**
   * Negative log-likelihood of the batches' targets, in nats, summed, and how many they are: of a masked model, those that it
   * has to tell.
   *
   * @param weights the model's on the backend, by path, in the types of `storedTypes`.
   * @param signal an abort ends it at once, with the signal's reason as the error.
   */
  evaluate(
    weights: ReadonlyMap<string, Buffer>,
    batches: Iterable<HeldOutBatch>,
    signal?: StopSignal,
  ): Promise<{ nats: number; tokens: number }>;
}

export interface EvaluatorOptions extends Omit<EvaluationConfig, keyof BatchSize> {
  readonly backend: Backend;
  /** How the ranks that share experts out send tokens to each other. All of them evaluate as many batches at the same time. */
  readonly exchange?: Exchange | undefined;
}

type EvaluationGraph = ReturnType<typeof evaluationGraph>;

/** An evaluator compiles a graph for every size of batch that it is given, once. */
export function createEvaluator({ backend, exchange, ...config }: EvaluatorOptions): Evaluator {
  const executables = new Once<string, Compiled<EvaluationGraph> | CompiledAmongRanks<EvaluationGraph>>();
  const compiled = ({ shape }: HeldOutBatch["mask"]) =>
    executables.get(`${shape}`, () => {
      const [batch, length] = shape as [number, number];
      const graph = evaluationGraph({ ...config, batch, length });
      return exchange ? compileAmongRanks(backend, graph, exchange) : backend.compile(graph);
    });
  return {
    async evaluate(weights, batches, signal) {
      let [nats, tokens] = [0, 0];
      const given = Object.fromEntries(weights);
      for (const batch of batches) {
        const executable = await compiled(batch.mask);
        const own = { tokens: backend.upload(batch.tokens), mask: backend.upload(batch.mask) };
        const sums = await executable.run({ weights: given, ...own });
        try {
          const [sum, count] = await Promise.all([numberOf(sums.nats, signal), numberOf(sums.targets, signal)]);
          nats += sum;
          tokens += count;
        } finally {
          disposeTree([own, sums]);
        }
      }
      return { nats, tokens };
    },
    async [Symbol.asyncDispose]() {
      for (const executable of await executables.clear()) executable[Symbol.dispose]();
    },
  };
}

const numberOf = async (buffer: Buffer, signal?: StopSignal): Promise<number> => (await buffer.read(signal)).data[0]!;
