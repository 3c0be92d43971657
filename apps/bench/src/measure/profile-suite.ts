import { FinegrainError, type KernelTime } from "@finegrain/graph";
import { preparations } from "../cases/prepare-case.ts";
import { WeightPool } from "../cases/random-weights.ts";
import { recording } from "../results/recording.ts";
import type { Suite } from "../suites/suite.ts";
import { casesOf, type RunOptions } from "./run-suite.ts";

/** What a variant's time goes into. */
export interface Profile {
  readonly case: string;
  readonly variant: string;
  /** Milliseconds that a unit (a token, a step) took in all, timing included. */
  readonly milliseconds: number;
  /** In the program's order. */
  readonly kernels: readonly KernelTime[];
}

/**
 * Run a round of every variant with a clock on every kernel.
 * @throws FinegrainError where the backend cannot tell, or a variant cannot run.
 */
export async function* profileSuite(suite: Suite, options: RunOptions): AsyncGenerator<Profile, void, undefined> {
  const { storage = "float32" } = options;
  for (const entry of casesOf(suite, options))
    for (const [i, variant] of entry.variants.entries()) {
      if (options.signal?.aborted) return;
      const progress = { case: entry.name, activity: `timing ${variant.name}`, done: 0, of: 1, soFar: () => [] };
      options.onProgress?.(progress);
      const record = recording(options.backend, { profile: true });
      using pool = new WeightPool(options.backend);
      const prepare = preparations(entry, { backend: record.backend, pool, storage })[i]!; // one each
      await using prepared = await prepare();
      const { round } = prepared.contestants[0]!; // the variant itself
      for (let warmup = 0; warmup < 2; warmup++) await round();
      record.kernels();
      const milliseconds = 1000 * (await round());
      const kernels = record.kernels();
      if (kernels.length === 0)
        throw new FinegrainError(`${options.backend.name} does not tell what its kernels take; wasm does`);
      yield { case: entry.name, variant: variant.name, milliseconds, kernels };
    }
}
