import type { Backend, Buffer, Executable } from "@finegrain/graph";
import type { LanguageModel, Storage } from "@finegrain/nn";
import type { HeldOutBatch } from "./data/index.ts";
import { evaluationGraph } from "./train-step.ts";

/** Measures a model on held-out text. */
export interface Evaluator extends AsyncDisposable {
  /**
   * Negative log-likelihood of the batches' targets, in nats, summed, and how many they are.
   *
   * @param params the model's parameters on the backend, in the order of `storedTypes`.
   */
  evaluate(params: readonly Buffer[], batches: Iterable<HeldOutBatch>): Promise<{ nats: number; tokens: number }>;
}

/**
 * An evaluator compiles a graph for every size of batch that it is given, once.
 *
 * @param storage what the parameters that it will be given are kept in.
 */
export function createEvaluator(backend: Backend, model: LanguageModel, storage: Storage = "float32"): Evaluator {
  const executables = new Map<string, Promise<Executable>>();
  const compiled = ({ shape }: HeldOutBatch["mask"]): Promise<Executable> => {
    const [batch, length] = shape as [number, number];
    const known = executables.get(`${shape}`) ?? backend.compile(evaluationGraph({ model, batch, length, storage }));
    executables.set(`${shape}`, known);
    return known;
  };
  return {
    async evaluate(params, batches) {
      let [nats, tokens] = [0, 0];
      for (const batch of batches) {
        const executable = await compiled(batch.mask);
        const given = [backend.upload(batch.tokens), backend.upload(batch.mask)];
        const outputs = executable.run([...params, ...given]);
        nats += (await outputs[0]!.read()).data[0]!;
        tokens += batch.count;
        for (const buffer of [...given, ...outputs]) buffer[Symbol.dispose]();
      }
      return { nats, tokens };
    },
    async [Symbol.asyncDispose]() {
      for (const executable of executables.values()) (await executable.catch(() => undefined))?.[Symbol.dispose]();
    },
  };
}
