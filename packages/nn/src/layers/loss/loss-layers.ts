import { einsum, slice } from "@finegrain/graph";
import { expectDivisible } from "../../config-error.ts";
import { boolean, whole } from "../../definition/option.ts";
import { embedding } from "../embedding.ts";
import { dense } from "../projections/dense.ts";
import { lowRankDense } from "../projections/low-rank-dense.ts";
import { multiplicativeDense } from "../projections/multiplicative-dense.ts";
import { defineLoss, type LossLayer } from "./definition.ts";

/*
 * Trax `SparseDenseWithOptions`, by its options, and a layer without weights of its own.
 */

/** A dense layer. */
export const denseLoss = defineLoss({
  name: "dense",
  summary: "a dense layer",
  options: { bias: boolean({ doc: "add a vector", default: true }) },
  build: ({ dModel, vocabulary, bias }) => dense({ dIn: dModel, dOut: vocabulary, bias }),
  cases: [{ options: {} }, { options: { bias: false } }],
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

/**
 * The embedding's table: logits are products with its rows. Press and Wolf 2017, "Using the Output Embedding to Improve Language
 * Models".
 *
 * Axes: B batch, T time, D model, V tokens, of which the first `vocabulary` have logits.
 */
export const tiedLoss = defineLoss({
  name: "tied",
  summary: "the embedding's own table: no weights of its own",
  options: {},
  build: ({ dModel, vocabulary }): LossLayer<ReturnType<typeof embedding>["params"]> => ({
    params: embedding({ dModel, vocabulary }).params,
    tied: true,
    apply(w, x) {
      const isWhole = w.table.shape[0] === vocabulary;
      const rows = isWhole ? w.table : slice(w.table, { starts: [0, 0], ends: [vocabulary, dModel] });
      return einsum(x, rows, "B T D, V D -> B T V");
    },
  }),
  cases: [{ options: {} }],
});
