import type { Suite } from "../suites/suite.ts";
import type { Study } from "./study.ts";

/** Rounds in which the variants take turns. */
const ROUNDS = 9;
/** Tokens of a round of decoding. */
const DECODED = 64;

/** The study's variants side by side, as a suite: a step of their training, and a token of their decoding. */
export function speedSuite({ name, title, training: { batch, length }, variants }: Study): Suite {
  const models = variants.map((variant) => ({ name: variant.name, model: { ...variant.model }, quick: true }));
  const measure = { prompt: 16, units: 1, rounds: ROUNDS, warmup: 3, batch, length };
  return {
    name,
    title: `${title}: speed`,
    cases: [
      { name: `${name}, a training step`, phase: "train", variants: models, measure, quick: measure },
      {
        name: `${name}, decoding`,
        phase: "decode",
        variants: models,
        measure: { ...measure, units: DECODED },
        quick: { ...measure, units: DECODED },
      },
    ],
  };
}
