import type { Storage } from "@finegrain/nn";
import type { OpKind } from "../cases/op-programs.ts";
import type { ModelPhase } from "../results/result.ts";

/** A model's config as parsed JSON: nn's `ModelConfig`, checked when the model is made. */
export type ModelJson = Readonly<Record<string, unknown>>;

/** How long a case is measured. */
export interface Measure {
  /** Decode: tokens in the cache before the first measured one. Prefill: the prompt's tokens. */
  readonly prompt: number;
  /** Decode: tokens that a round decodes. Training: optimizer steps of a round. Layer: passes of a round. */
  readonly units: number;
  readonly rounds: number;
  /** The most rounds of warm-up. */
  readonly warmup: number;
  /** Training: windows of a batch, and their length. Decode: streams of text, each of which has a token of every step. */
  readonly batch: number;
  readonly length: number;
}

interface AnyVariant {
  readonly name: string;
  /** Whether it is in the quick form of its case. */
  readonly quick: boolean;
}

/** What a paper says of a variant, on its own machine. */
export interface PaperFigures {
  readonly millisecondsPerToken?: number;
  /** How many times faster than the dense variant. */
  readonly overDense?: number;
}

/** A model of a case. */
export interface Variant extends AnyVariant {
  readonly model: ModelJson;
  /** Decode: what its weights are kept in. Default what the run says. */
  readonly storage?: Storage;
  /** Of the suite's `source`. */
  readonly paper?: PaperFigures;
}

/** An operation at one size. */
export interface OpVariant extends AnyVariant {
  readonly shape: Readonly<Record<string, number>>;
}

interface AnyCase {
  readonly name: string;
  readonly measure: Measure;
  /** How the case is measured where the suite has to end within a minute; false where it is left out then. */
  readonly quick: Measure | false;
}

/** Models that are compared in one run, all at the same task. */
export interface ModelCase extends AnyCase {
  readonly phase: ModelPhase;
  readonly variants: readonly Variant[];
}

/** An operation at several sizes. */
export interface OpCase extends AnyCase {
  readonly phase: "op";
  readonly op: OpKind;
  readonly variants: readonly OpVariant[];
}

export type Case = ModelCase | OpCase;

/** A file of benchmarks/suites. */
export interface Suite {
  readonly name: string;
  readonly title: string;
  /** Where its models and the papers' figures are from. */
  readonly source?: string;
  readonly cases: readonly Case[];
}

/** The variant that others are compared with. */
export const BASELINE = "dense";

/** A case with the variants that are picked from its own. */
function withVariants(entry: Case, pick: <V extends AnyVariant>(variants: readonly V[]) => readonly V[]): Case {
  // Two lines and not one, since only so each kind of case keeps its own kind of variants.
  if (entry.phase === "op") return { ...entry, variants: pick(entry.variants) };
  return { ...entry, variants: pick(entry.variants) };
}

/** The suite in the form that ends within a minute: every case measured as its `quick` says, what is left out left out. */
export const quickForm = (suite: Suite): Suite => ({
  ...suite,
  cases: suite.cases.flatMap((entry) => {
    if (entry.quick === false) return [];
    return [withVariants({ ...entry, measure: entry.quick }, (all) => all.filter(({ quick }) => quick))];
  }),
});

/** A case of one variant, and behind it the one that it is compared with: where memory is short, that one is left out. */
export const besideBaseline = (entry: Case, variant: string): Case =>
  withVariants(entry, (all) => [
    ...all.filter(({ name }) => name === variant),
    ...all.filter(({ name }) => name === BASELINE && name !== variant),
  ]);
