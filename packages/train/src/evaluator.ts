import type { Backend, Buffer, Executable } from "@finegrain/graph";
import type { BatchSize, HeldOutBatch } from "./data/index.ts";
import { type EvaluationConfig, evaluationGraph } from "./train-step.ts";

/** Measures a model on held-out text. */
export interface Evaluator extends AsyncDisposable {
  /**
   * Negative log-likelihood of the batches' targets, in nats, summed, and how many they are: of a masked model, those that it
   * has to tell.
   *
   * @param weights the model's on the backend, by path, in the types of `storedTypes`.
   */
  evaluate(
    weights: ReadonlyMap<string, Buffer>,
    batches: Iterable<HeldOutBatch>,
  ): Promise<{ nats: number; tokens: number }>;
}

export interface EvaluatorOptions extends Omit<EvaluationConfig, keyof BatchSize> {
  readonly backend: Backend;
}

/** An evaluator compiles a graph for every size of batch that it is given, once. */
export function createEvaluator({ backend, ...config }: EvaluatorOptions): Evaluator {
  const executables = new Map<string, Promise<Executable>>();
  const compiled = ({ shape }: HeldOutBatch["mask"]): Promise<Executable> => {
    const [batch, length] = shape as [number, number];
    const known = executables.get(`${shape}`) ?? backend.compile(evaluationGraph({ ...config, batch, length }));
    executables.set(`${shape}`, known);
    return known;
  };
  return {
    async evaluate(weights, batches) {
      let [nats, tokens] = [0, 0];
      for (const batch of batches) {
        const executable = await compiled(batch.mask);
        const given = [backend.upload(batch.tokens), backend.upload(batch.mask)];
        const outputs = executable.run([...weights.values(), ...given]);
        const [sum, count] = await Promise.all(outputs.map(async (buffer) => (await buffer.read()).data[0]!));
        nats += sum!;
        tokens += count!;
        for (const buffer of [...given, ...outputs]) buffer[Symbol.dispose]();
      }
      return { nats, tokens };
    },
    async [Symbol.asyncDispose]() {
      for (const executable of executables.values()) (await executable.catch(() => undefined))?.[Symbol.dispose]();
    },
  };
}
