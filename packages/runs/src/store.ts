import type { Tokenizer } from "@finegrain/generate";
import type { HostTensor, TensorType } from "@finegrain/graph";
import type { RunConfig } from "./config.ts";
import type { Checkpoint, SaveOptions } from "./folder/checkpoint.ts";
import type { CheckpointContent, SavedTensor } from "./folder/checkpoint-files.ts";
import type { MetricsWriter } from "./folder/metrics.ts";

/** Where a run keeps what it makes: a folder, memory, or what a program has in their place, such as a page's own storage. */
export interface RunStore {
  /** The run's folder; undefined in memory. */
  readonly folder: string | undefined;
  /** Whether it keeps what is given to `save`; false where it has that from another rank. Default true. */
  readonly keeps?: boolean;
  /**
   * Make the place of a new run.
   * @throws FinegrainError where another run is there.
   */
  begin(config: RunConfig, tokenizer: Tokenizer): Promise<void>;
  /** @param resumeAt drop what was logged of this step and of later ones: they happen again. */
  openMetrics(resumeAt: number): Promise<MetricsWriter>;
  save(content: CheckpointContent, options: SaveOptions): Promise<Checkpoint>;
}

/** Keeps the last checkpoint, and no metrics: a listener hears of them. */
export function memoryStore(): RunStore {
  return {
    folder: undefined,
    begin: async () => {},
    openMetrics: async () => silentMetrics,
    async save({ step, model, optimizer, config, state }) {
      const [weights, slots] = await Promise.all([readAll(model), readAll(optimizer)]);
      return {
        path: "the run in memory",
        step,
        config,
        state,
        modelTypes: typesOf(weights),
        optimizerTypes: typesOf(slots),
        readModel: async () => weights,
        readOptimizer: async () => slots,
      };
    },
  };
}

const nothing = async () => {};
export const silentMetrics: MetricsWriter = {
  append() {},
  flush: nothing,
  close: nothing,
  [Symbol.asyncDispose]: nothing,
};

async function readAll(tensors: ReadonlyMap<string, SavedTensor>): Promise<Map<string, HostTensor>> {
  const read = [...tensors].map(async ([name, saved]) => [name, "type" in saved ? await saved.read() : saved] as const);
  return new Map(await Promise.all(read));
}

const typesOf = (tensors: ReadonlyMap<string, HostTensor>): Map<string, TensorType> =>
  new Map([...tensors].map(([name, { dtype, shape }]) => [name, { dtype, shape }]));
