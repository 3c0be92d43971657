import type { StudyResult, StudyRole } from "./result.ts";
import type { Study, StudyVariant } from "./study.ts";

/** A training run of a study. */
export interface StudyRun {
  readonly variant: StudyVariant;
  readonly role: StudyRole;
  readonly rate: number;
  readonly seed: number;
  readonly steps: number;
}

/** Whether a result is of this run. */
const isOf =
  ({ variant, role, rate, seed, steps }: StudyRun) =>
  (result: StudyResult): boolean =>
    result.variant === variant.name &&
    result.role === role &&
    result.rate === rate &&
    result.seed === seed &&
    result.steps === steps;

/** The runs that find a variant's rate: none where there is but one to train at. */
function tuningRuns(study: Study, variant: StudyVariant): StudyRun[] {
  if (variant.rates.length === 1) return [];
  const steps = Math.max(1, Math.round(variant.steps * study.tuning));
  const seed = variant.seeds[0]!; // a study's lists are not empty
  return variant.rates.map((rate) => ({ variant, role: "rate", rate, seed, steps }));
}

/** The rate whose short run ended best; undefined before all of them have ended. */
function bestRate(study: Study, variant: StudyVariant, results: readonly StudyResult[]): number | undefined {
  const ended = tuningRuns(study, variant).map((run) => results.find(isOf(run)));
  if (ended.length === 0) return variant.rates[0];
  if (ended.some((result) => result === undefined)) return undefined;
  return ended.reduce((best, result) => (result!.bitsPerByte < best!.bitsPerByte ? result : best))!.rate;
}

/**
 * The runs that a study still has to make, as far as they are known: rates are found first, and what is trained at the best
 * of them follows from it. Whole runs go seed by seed through all variants, so that an early look has one of each; variants of
 * a single seed, which are there to explain the others, come after those of several, before their second seed.
 */
export function runsToMake(study: Study, results: readonly StudyResult[]): StudyRun[] {
  const own = results.filter((result) => result.study === study.name);
  const isOpen = (run: StudyRun) => !own.some(isOf(run));
  const tuning = study.variants.flatMap((variant) => tuningRuns(study, variant)).filter(isOpen);
  const most = Math.max(...study.variants.map(({ seeds }) => seeds.length));
  // The first variant is what the others are compared with, and so comes first.
  const repeated = study.variants.filter(({ seeds }, i) => i === 0 || seeds.length > 1);
  const single = study.variants.filter((variant) => !repeated.includes(variant));
  const whole = Array.from({ length: most }, (_, i) => i).flatMap((i) =>
    [...repeated, ...(i === 0 ? single : [])].flatMap((variant): StudyRun[] => {
      const [seed, rate] = [variant.seeds[i], bestRate(study, variant, own)];
      return seed === undefined || rate === undefined
        ? []
        : [{ variant, role: "whole", rate, seed, steps: variant.steps }];
    }),
  );
  return [...tuning, ...whole.filter(isOpen)];
}

/** How many runs a study has in all. */
export const runCount = (study: Study): number =>
  study.variants.reduce((sum, variant) => sum + tuningRuns(study, variant).length + variant.seeds.length, 0);
