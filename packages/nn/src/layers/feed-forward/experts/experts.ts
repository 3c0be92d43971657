import { add, allToAll, concat, einsum, gather, mul, reshape, type Tensor, transpose } from "@finegrain/graph";
import { expectPositive } from "../../../config-error.ts";
import type { Context } from "../../../context.ts";
import { glorot, type Init, zeros } from "../../../init.ts";
import { type Param, param, type Weights } from "../../../layer.ts";
import { type Activation, activations } from "../activation.ts";

export interface ExpertsConfig {
  readonly dModel: number;
  readonly experts: number;
  /** Hidden units of one expert. */
  readonly expertSize: number;
  /** Default "relu". */
  readonly activation?: Activation;
  /** A third matrix, whose units go through the activation and multiply the first's: "swiglu", "geglu". Default false. */
  readonly gated?: boolean;
  /** Of the hidden units. Default false. */
  readonly bias?: boolean;
}

export type ExpertsParams = {
  readonly inner: { readonly kernel: Param; readonly bias?: Param };
  readonly gate?: { readonly kernel: Param };
  readonly outer: { readonly kernel: Param };
};

/** Feed-forward networks side by side, each with rows of its own. */
export interface Experts {
  readonly params: ExpertsParams;
  /**
   * float32 [experts, rows, dModel], the same out as in. Where ranks share the experts out, rows go to the ranks of their experts and
   * back, and the weights are those of this rank's experts alone, or as many copies of these as there are ranks.
   */
  apply(w: Weights<ExpertsParams>, rows: Tensor, context?: Pick<Context, "expertRanks">): Tensor;
  /**
   * The experts that each row chose, of which only the weights are read.
   *
   *   row      float32  [rows, dModel]
   *   chosen   int32    [rows, k]
   *   returns  float32  [rows, k, dModel]
   */
  applyChosen(w: Weights<ExpertsParams>, row: Tensor, chosen: Tensor): Tensor;
}

/**
 * y = f(x·W₁ + b₁)·W₂ of every expert on its own rows; gated: (f(x·G) ⊙ (x·W₁))·W₂.
 *
 * Axes: E experts, C rows of an expert, D model, F units of an expert; N rows, K chosen experts of a row.
 */
export function experts(config: ExpertsConfig): Experts {
  const { dModel, experts: count, expertSize, activation = "relu", gated = false, bias = false } = config;
  expectPositive("experts", "experts", count);
  expectPositive("experts", "expertSize", expertSize);
  const own = (rest: readonly number[], init: Init): Param => ({
    ...param([count, ...rest], init),
    ...(count > 1 && { perExpert: true }), // one alone is every rank's
  });
  const into = own([dModel, expertSize], glorot(dModel, expertSize));
  const f = activations[activation];
  const hidden = (units: Tensor, gate: Tensor | undefined): Tensor => (gate ? mul(f(gate), units) : f(units));
  const together = (w: Weights<ExpertsParams>, rows: Tensor): Tensor => {
    const product = einsum(rows, w.inner.kernel, "E C D, E D F -> E C F");
    const units = w.inner.bias ? add(product, reshape(w.inner.bias, [rows.shape[0]!, 1, expertSize])) : product;
    const gate = w.gate && einsum(rows, w.gate.kernel, "E C D, E D F -> E C F");
    return einsum(hidden(units, gate), w.outer.kernel, "E C F, E F D -> E C D");
  };
  return {
    params: {
      inner: bias ? { kernel: into, bias: own([expertSize], zeros) } : { kernel: into },
      ...(gated ? { gate: { kernel: into } } : {}),
      outer: { kernel: own([expertSize, dModel], glorot(expertSize, dModel)) },
    },
    apply: (w, rows, { expertRanks } = {}) =>
      expertRanks === undefined || count === 1
        ? together(w, rows)
        : amongRanks(rows, { ranks: expertRanks, own: w.outer.kernel.shape[0]! }, (own) => together(w, own)),
    applyChosen(w, row, chosen) {
      const product = einsum(row, gather(w.inner.kernel, chosen), "N D, N K D F -> N K F");
      const units = w.inner.bias ? add(product, gather(w.inner.bias, chosen)) : product;
      const gate = w.gate && einsum(row, gather(w.gate.kernel, chosen), "N D, N K D F -> N K F");
      return einsum(hidden(units, gate), gather(w.outer.kernel, chosen), "N K F, N K F D -> N K D");
    },
  };
}

/** How ranks share experts out: `ranks` of them, each with the weights of `own` experts, or with a copy of these for every rank. */
interface Owned {
  readonly ranks: number;
  readonly own: number;
}

/**
 * Rows of the experts of all ranks, through those who have them: [E, C, D] -> [E, C, D]. A rank with a copy of its experts for every rank has
 * products as large as those of one process, and of each copy a gradient by itself; else an expert has one product over the rows of all.
 */
function amongRanks(rows: Tensor, { ranks, own }: Owned, f: (rows: Tensor) => Tensor): Tensor {
  const [count, room, dModel] = rows.shape as [number, number, number];
  const here = allToAll(rows, { ranks });
  if (own === count) return allToAll(f(here), { ranks });
  const byExpert = transpose(reshape(here, [ranks, own, room, dModel]), [1, 0, 2, 3]);
  const y = reshape(f(reshape(byExpert, [own, ranks * room, dModel])), [own, ranks, room, dModel]);
  return allToAll(reshape(transpose(y, [1, 0, 2, 3]), rows.shape), { ranks });
}

/** Of every rank's own experts, or of copies of these for every rank: of all experts. [own, ...] or [E, ...] -> [E, ...] */
export function ofAllExperts(x: Tensor, count: number, { expertRanks: ranks }: Pick<Context, "expertRanks">): Tensor {
  return ranks === undefined ? x : allToAll(x.shape[0] === count ? x : copies(x, ranks), { ranks });
}

/** `ranks` copies one behind the other, [n, ...] -> [ranks · n, ...]: stored as such, so that products with them are those with as many experts. */
export const copies = (x: Tensor, ranks: number): Tensor =>
  ranks === 1 ? x : concat(...Array.from({ length: ranks }, () => x), { axis: 0 });
