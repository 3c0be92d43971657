import type { Backend, Buffer, Executable } from "@finegrain/graph";
import type { LanguageModel } from "@finegrain/nn";
import type { HeldOutBatch } from "./data/index.ts";
import { type EvaluationConfig, evaluationGraph } from "./train-step.ts";

/** Measures a model on held-out text. */
export interface Evaluator extends AsyncDisposable {
  /**
   * Negative log-likelihood of the batches' targets, in nats, summed, and how many they are: of a masked model, those that it
   * has to tell.
   *
   * @param params the model's parameters on the backend, in the order of `storedTypes`.
   */
  evaluate(params: readonly Buffer[], batches: Iterable<HeldOutBatch>): Promise<{ nats: number; tokens: number }>;
}

/** An evaluator compiles a graph for every size of batch that it is given, once. */
export function createEvaluator(
  backend: Backend,
  model: LanguageModel,
  options: Pick<EvaluationConfig, "asDecoded" | "storage"> = {},
): Evaluator {
  const executables = new Map<string, Promise<Executable>>();
  const compiled = ({ shape }: HeldOutBatch["mask"]): Promise<Executable> => {
    const [batch, length] = shape as [number, number];
    const known = executables.get(`${shape}`) ?? backend.compile(evaluationGraph({ ...options, model, batch, length }));
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
