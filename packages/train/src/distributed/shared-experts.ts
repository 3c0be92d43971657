import type { Communicator } from "@finegrain/distributed";
import { type Buffer, FinegrainError, type HostTensor, hostTensor, size, type TensorType } from "@finegrain/graph";
import { type LanguageModel, leaves, type Param, paramsOfRank } from "@finegrain/nn";
import type { SharedExperts } from "../train-step.ts";
import type { PreparedOptions, TrainerOptions } from "../training.ts";
import { spread } from "./slots.ts";

/*
 * Experts that ranks share out: rank r has the r-th part of them, in their order, and of the optimizer's state what is theirs.
 */

type Shared = Pick<PreparedOptions, "model" | "experts">;

/**
 * How the experts are shared out; undefined where they are not.
 * @throws FinegrainError where they cannot be.
 */
export function expertSharing(
  { expertParallel = false, model, optimizer }: TrainerOptions,
  { size: ranks }: Communicator,
  { accumulate, deterministic }: Pick<PreparedOptions, "accumulate" | "deterministic">,
): SharedExperts | undefined {
  if (!expertParallel) return undefined;
  if (!leaves<Param>(model.params).some(([, { perExpert }]) => perExpert))
    throw new FinegrainError("the model has no experts that ranks could share out");
  if (optimizer.elementwise !== true)
    throw new FinegrainError(
      "experts are shared out with an optimizer that updates each weight by itself, such as adamw",
    );
  if (accumulate % ranks !== 0)
    throw new FinegrainError(
      `${ranks} ranks that share experts out have as many micro-batches each: accumulate has to be a multiple of that, not ${accumulate}`,
    );
  // One process that is to compute as many do cuts its graph where they would: what is computed together decides the last bits.
  return ranks === 1 && !deterministic ? undefined : { ranks, apart: deterministic };
}

/** Whether ranks share a parameter out, by its path. */
export function isSharedOut({ model, experts }: Shared): (path: string) => boolean {
  const shared = new Set(
    experts && leaves<Param>(model.params).flatMap(([path, own]) => (own.perExpert ? [path] : [])),
  );
  return (path) => shared.has(path);
}

/** A model with the parameters of one rank. @throws FinegrainError where experts have no equal parts. */
export const modelOfRank = ({ model, experts }: Shared): LanguageModel =>
  experts ? { ...model, params: paramsOfRank(model.params, experts.ranks) } : model;

/** What a rank has of all weights. */
export function weightsOfRank(
  shared: Shared,
  { rank, size: ranks }: Communicator,
  weights: ReadonlyMap<string, HostTensor>,
): ReadonlyMap<string, HostTensor> {
  const isShared = isSharedOut(shared);
  const own = ({ dtype, shape: [count, ...rest], data }: HostTensor): HostTensor => {
    const length = data.length / ranks;
    return { dtype, shape: [count! / ranks, ...rest], data: data.subarray(rank * length, (rank + 1) * length) };
  };
  return new Map([...weights].map(([path, value]) => [path, isShared(path) ? own(value) : value]));
}

/**
 * Parameters of experts that ranks share out, from the ranks that have them.
 * @param keep whether this rank has a use for them.
 * @param types of all experts, by path.
 * @param buffers this rank's, by path.
 */
export async function gatherExperts(
  communicator: Communicator,
  {
    keep,
    types,
    buffers,
  }: {
    readonly keep: boolean;
    readonly types: ReadonlyMap<string, TensorType>;
    readonly buffers: ReadonlyMap<string, Buffer>;
  },
): Promise<Map<string, HostTensor>> {
  const all = new Map<string, HostTensor>();
  for (const [path, { shape }] of types) {
    const length = size(shape) / communicator.size;
    const { data: own } = await buffers.get(path)!.read();
    const whole = keep ? new Float32Array(size(shape)) : undefined;
    for (let rank = 0; rank < communicator.size; rank++) {
      const values = spread(communicator, rank, rank === communicator.rank ? own : undefined, length);
      whole?.set(values, rank * length);
    }
    if (whole) all.set(path, hostTensor("float32", shape, whole));
  }
  return all;
}
