import { type Backend, type Buffer, FinegrainError, type HostTensor, hostTensor } from "@finegrain/graph";
import { type LanguageModel, seedKey } from "@finegrain/nn";
import type { Share } from "./distributed/share.ts";

/*
 * What goes into a step, checked, and on the device. A batch's counter decides its noise.
 */

interface Run {
  readonly backend: Backend;
  readonly seed: number;
}

const int32 = (...values: number[]): HostTensor => hostTensor("int32", [values.length], Int32Array.from(values));
const scalarOf = (value: HostTensor): HostTensor => ({ ...value, shape: [] });

export const uploadBatch = ({ backend, seed }: Run, tokens: HostTensor, counter: number) => ({
  tokens: backend.upload(tokens),
  key: backend.upload(int32(...seedKey(seed))),
  counter: backend.upload(scalarOf(int32(counter))),
});

export const uploadNow = ({ backend }: Pick<Run, "backend">, step: number, learningRate: number) => ({
  step: backend.upload(scalarOf(int32(step))),
  learningRate: uploadNumber(backend, learningRate),
});

export const uploadNumber = (backend: Backend, value: number): Buffer =>
  backend.upload(hostTensor("float32", [], [value]));

/** @throws FinegrainError where the micro-batches are not as many as this rank has, or a token is outside the vocabulary. */
export function checkBatches(
  batches: readonly HostTensor[],
  { model, share: { start, end } }: { readonly model: LanguageModel; readonly share: Share },
): void {
  if (batches.length !== end - start)
    throw new FinegrainError(`a step takes ${end - start} micro-batches, not ${batches.length}`);
  // Embedding a token that has no row is undefined behaviour: not to be left to the backend.
  const { vocabulary } = model.config;
  for (const { data } of batches)
    for (const token of data)
      if (token < 0 || token >= vocabulary)
        throw new FinegrainError(`token ${token} is outside the model's vocabulary of ${vocabulary}`);
}

/** @throws FinegrainError where the rate is not finite in float32, as which the graph takes it. */
export function rateOf({ schedule }: { schedule(step: number): number }, step: number): number {
  const learningRate = schedule(step);
  if (!Number.isFinite(Math.fround(learningRate)))
    throw new FinegrainError(`the learning rate of step ${step} is ${learningRate}`);
  return learningRate;
}

/** The error of a step that came to nothing. */
export const notFinite = (found: {
  readonly step: number;
  readonly loss: number;
  readonly norm: number;
  readonly learningRate: number;
  /** Whose loss is not, where that is known. */
  readonly rank?: number | undefined;
}): FinegrainError =>
  new FinegrainError(
    `the loss of step ${found.step} is ${found.loss}${found.rank === undefined ? "" : ` on rank ${found.rank}`} and its gradient's norm ${found.norm}, at a learning rate of ${found.learningRate}: the weights are left as they were before the step`,
  );

export async function readAll(buffers: ReadonlyMap<string, Buffer>): Promise<Map<string, HostTensor>> {
  return new Map(await Promise.all([...buffers].map(async ([name, buffer]) => [name, await buffer.read()] as const)));
}
