import { type GoldenCase, Unsupported } from "../case.ts";
import type { Trial } from "../checks.ts";
import { Given, type Tolerances } from "../given.ts";
import { type Adapter, layerAdapters } from "../trax/layers.ts";
import { optimizerNames } from "../trax/optimizers.ts";
import { wideAttentionAdapters } from "./attention.ts";
import { wideLayerAdapters } from "./layers.ts";
import { wideModelAdapters } from "./models.ts";
import { wideNames } from "./names.ts";
import { wideOptimizerTrial } from "./optimizers.ts";
import { wideReversibleAdapters } from "./reversible.ts";

/**
 * README.md of the cases: outputs to 2e-5 of the largest, gradients to 1e-4. As with the other cases of Trax no gradient is held to
 * less than a hundredth of the case's largest.
 */
const tolerances: Tolerances = {
  output: { ofLargest: 2e-5 },
  gradient: (largest) => ({ ofLargest: 1e-4, scale: 1e-2 * largest }),
};

/** Large scores, of a future that is hidden, differ from each other. */
const ofRounds: Tolerances = { output: { ofLargest: 5e-3 }, gradient: () => ({ ofLargest: 5e-3 }) };

/** Weights or activations were rounded to bfloat16, which is of 8 bits. */
const rounded: Tolerances = { output: { ofLargest: 2e-2 }, gradient: () => ({ ofLargest: 2e-2 }) };

/** By Trax's names. */
const adapters: Readonly<Record<string, Adapter>> = {
  ...wideReversibleAdapters,
  ...layerAdapters,
  ...wideLayerAdapters,
  ...wideAttentionAdapters,
  ...wideModelAdapters,
};

const plain = (name: string): string => name.replaceAll("_", "").toLowerCase();

/** A file says "sparse_ff_eval_chunked" or "SparseFF": the name that it begins with, the longest of several. */
function nameOf(layer: string): string | undefined {
  const begins = [...Object.keys(adapters), ...optimizerNames].filter((name) => plain(layer).startsWith(plain(name)));
  return begins.sort((a, b) => b.length - a.length)[0];
}

/**
 * A case of golden/trax-wide, in our layers: the layer from `layer`, its options from `args` and `mode`, sizes from shapes.
 *
 * @throws Unsupported where our layers do not have what it takes.
 */
export function wideTrial(golden: GoldenCase): Trial {
  const { layer = "", args } = golden.metadata;
  const name = nameOf(layer);
  if (name === undefined) throw new Unsupported(`the layer ${layer}`);
  if (optimizerNames.includes(name)) return wideOptimizerTrial(golden, name);
  const isRounded = /bfloat16": true/.test(args ?? "");
  const given = new Given(golden, args, isRounded ? rounded : tolerancesOf(golden), wideNames);
  const outputs = adapters[name]!(given);
  for (const option of isRounded ? ["use_bfloat16", "big_weights_in_bfloat16"] : []) given.arguments.any(option);
  return given.trial(outputs);
}

/** LSH attention of several rounds is held to less, as the README says, where it is causal. */
function tolerancesOf({ metadata }: GoldenCase): Tolerances {
  const { n_hashes: rounds = 1, causal = false } = JSON.parse(metadata.args ?? "{}") as Record<string, unknown>;
  return Number(rounds) > 1 && causal === true ? ofRounds : tolerances;
}
