import { type Communicator, expectAlike, valueOfRank } from "@finegrain/distributed";
import { FinegrainError } from "@finegrain/graph";
import type { Corpus } from "@finegrain/train";
import type { RunConfig, TrainingConfig } from "./config.ts";
import { openCheckpoint } from "./folder/checkpoint.ts";
import { type RunStore, silentMetrics } from "./store.ts";

/*
 * What the ranks of a training do together, and what rank 0 does for all. They see the same files: the text, and the run's folder.
 */

/**
 * A training whose steps have a micro-batch for every rank at least: where there are fewer, batches are cut.
 * @throws FinegrainError where they cannot be.
 */
export function trainingOfRanks(training: TrainingConfig, ranks: number): TrainingConfig {
  const { batch, accumulate } = training;
  const parts = Math.ceil(ranks / accumulate);
  if (batch % parts !== 0)
    throw new FinegrainError(
      `a batch of ${batch} windows cannot be shared by ${ranks} ranks: it has to be a multiple of ${parts}, or accumulate at least ${ranks}`,
    );
  return { ...training, batch: batch / parts, accumulate: accumulate * parts };
}

/** @throws RanksDiffer on all ranks, where they are to train differently in what `createTrainer` does not compare. */
export const expectSameTraining = (communicator: Communicator, { training, tokenizer }: RunConfig): void =>
  expectAlike(communicator, { training, tokenizer });

/**
 * A corpus in memory, on all ranks as rank 0 makes it.
 * @throws what rank 0 does, where it cannot be made: on the others a FinegrainError with the same sentence.
 */
export async function corpusOfRanks(communicator: Communicator, make: () => Promise<Corpus>): Promise<Corpus> {
  if (communicator.size === 1) return make();
  let made: Corpus | undefined;
  let reason: unknown;
  if (communicator.rank === 0)
    made = await make().catch((error) => {
      reason = error;
      return undefined;
    });
  await communicator.barrier(); // where those that wait leave the processor to rank 0, as in a broadcast they would not
  const told = valueOfRank(
    communicator,
    made ? { ...made, train: made.train.length, heldOut: made.heldOut.length } : errorSentence(reason),
  );
  if (typeof told === "string") throw reason ?? new FinegrainError(told);
  const { train, heldOut, ...rest } = told;
  const share = (part: "train" | "heldOut", length: number): Int32Array => {
    const tokens = made?.[part].slice(0, length) ?? new Int32Array(length);
    communicator.broadcast(tokens, 0);
    return tokens;
  };
  return { ...rest, train: share("train", train), heldOut: share("heldOut", heldOut) };
}

const errorSentence = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** A folder that rank 0 writes, and the others read. */
export function storeOfRanks(communicator: Communicator, store: RunStore): RunStore {
  if (communicator.size === 1 || store.folder === undefined) return store;
  const isFirst = communicator.rank === 0;
  return {
    ...store,
    keeps: isFirst,
    openMetrics: isFirst ? (resumeAt) => store.openMetrics(resumeAt) : async () => silentMetrics,
    async save(content, options) {
      const saved = isFirst ? await store.save(content, options) : undefined;
      await communicator.barrier();
      const path = valueOfRank(communicator, saved?.path ?? "");
      return saved ?? openCheckpoint(path);
    },
  };
}
