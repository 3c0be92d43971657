import { Arguments } from "../arguments.ts";
import type { GoldenCase } from "../case.ts";
import type { Trial } from "../checks.ts";
import { optimizerTrialOf } from "../trax/optimizers.ts";

/** `weights.NAME`, then for the steps that the metadata lists `stepN.grad.NAME` in and `stepN.weights.NAME` out. */
export function wideOptimizerTrial(golden: GoldenCase, source: string): Trial {
  const { steps, args } = golden.metadata;
  return optimizerTrialOf(golden, {
    source,
    options: Arguments.parse(args),
    names: [...golden.tensors.keys()].flatMap((key) => /^weights\.(.+)$/.exec(key)?.[1] ?? []),
    steps: JSON.parse(steps ?? "[]") as number[], // the metadata says which
    start: (name) => `weights.${name}`,
    gradient: (step, name) => `step${step}.grad.${name}`,
    weights: (step, name) => `step${step}.weights.${name}`,
  });
}
