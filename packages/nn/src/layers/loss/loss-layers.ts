import { expectDivisible } from "../../config-error.ts";
import { whole } from "../../definition/option.ts";
import { dense } from "../projections/dense.ts";
import { lowRankDense } from "../projections/low-rank-dense.ts";
import { multiplicativeDense } from "../projections/multiplicative-dense.ts";
import { defineLoss } from "./definition.ts";

/*
 * Trax `SparseDenseWithOptions`, by its options.
 */

/** A dense layer. */
export const denseLoss = defineLoss({
  name: "dense",
  summary: "a dense layer",
  options: {},
  build: ({ dModel, vocabulary }) => dense({ dIn: dModel, dOut: vocabulary }),
  cases: [{ options: {} }],
});

/** A multiplicative layer: "sparse loss layer", Jaszczur et al. 2021, 3.3. */
export const multiplicativeLoss = defineLoss({
  name: "multiplicative",
  summary: "a multiplicative layer, which has fewer weights",
  options: {
    modules: whole({ doc: "modules that the vocabulary is cut into", suggest: () => 4, flag: "loss-sparsity" }),
  },
  check({ vocabulary, modules }, at) {
    expectDivisible(at.owner, "vocabulary", vocabulary, at.option("modules"), modules);
  },
  build: ({ dModel, vocabulary, modules }) => multiplicativeDense({ dIn: dModel, dOut: vocabulary, modules }),
  cases: [{ options: { modules: 3 } }],
});

/** Two narrow matrices. */
export const lowRankLoss = defineLoss({
  name: "low-rank",
  summary: "two narrow matrices",
  options: {
    rank: whole({ doc: "width between the two", suggest: ({ dModel }) => Math.max(1, Math.floor(dModel / 8)) }),
  },
  build: ({ dModel, vocabulary, rank }) => lowRankDense({ dIn: dModel, dOut: vocabulary, rank }),
  cases: [{ options: { rank: 3 } }],
});
