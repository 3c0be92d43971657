import type { Backend } from "@finegrain/graph";
import { type ModelConfig, modelOf, type Storage } from "@finegrain/nn";
import { errorSentence } from "../results/error-sentence.ts";
import type { Case, ModelCase, Variant } from "../suites/suite.ts";
import { prepareDecode } from "./decode-case.ts";
import { prepareLayer } from "./layer-case.ts";
import { prepareOp } from "./op-case.ts";
import { preparePrefill } from "./prefill-case.ts";
import type { WeightPool } from "./random-weights.ts";
import { prepareTraining } from "./train-case.ts";
import type { Prepared } from "./variant.ts";

interface PrepareOptions {
  readonly backend: Backend;
  readonly pool: WeightPool;
  /** Where a variant does not say. */
  readonly storage: Storage;
  readonly signal?: AbortSignal | undefined;
  report?(activity: string, done: number, of: number): void;
}

/** Variants that are ready, and a sentence for each that is not. */
export interface PreparedCase {
  readonly variants: readonly Prepared[];
  readonly failures: ReadonlyMap<string, string>;
}

/** Compile every variant of a case; one that fails leaves its sentence. An abort leaves out the rest. */
export async function prepareCase(entry: Case, options: PrepareOptions): Promise<PreparedCase> {
  const { signal, report } = options;
  const variants: Prepared[] = [];
  const failures = new Map<string, string>();
  for (const [i, prepare] of preparations(entry, options).entries()) {
    const { name } = entry.variants[i]!; // one preparation each
    if (signal?.aborted) break;
    report?.(`compiling ${name}`, i, entry.variants.length);
    try {
      variants.push(await prepare());
    } catch (error) {
      failures.set(name, errorSentence(error));
    }
  }
  return { variants, failures };
}

/** For every variant of a case, in order, what makes it ready, under another name where one is given. */
export function preparations(entry: Case, options: PrepareOptions): ((name?: string) => Promise<Prepared>)[] {
  return entry.phase === "op"
    ? entry.variants.map(
        (variant) =>
          (name = variant.name) =>
            prepareOp(options.backend, entry.op, { ...variant, name }),
      )
    : entry.variants.map(
        (variant) =>
          (name = variant.name) =>
            prepareModel(entry, { ...variant, name }, options),
      );
}

function prepareModel(
  { phase, measure }: ModelCase,
  { name, model: json, storage }: Variant,
  { backend, pool, storage: otherwise }: PrepareOptions,
): Promise<Prepared> {
  const config = json as unknown as ModelConfig; // the layers and models refuse what is none
  switch (phase) {
    case "decode":
      return prepareDecode(backend, pool, name, modelOf(config), { ...measure, storage: storage ?? otherwise });
    case "prefill":
      return preparePrefill(backend, pool, name, modelOf(config), { ...measure, storage: storage ?? otherwise });
    case "train":
      return prepareTraining(backend, name, modelOf(config), measure);
    case "layer":
      return prepareLayer(backend, pool, name, config, measure);
  }
}
