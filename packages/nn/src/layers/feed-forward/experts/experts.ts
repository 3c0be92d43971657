import { add, einsum, gather, mul, reshape, type Tensor } from "@finegrain/graph";
import { expectPositive } from "../../../config-error.ts";
import { glorot, zeros } from "../../../init.ts";
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
  /** float32 [experts, rows, dModel], the same out as in. */
  apply(w: Weights<ExpertsParams>, rows: Tensor): Tensor;
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
  const into = param([count, dModel, expertSize], glorot(dModel, expertSize));
  const f = activations[activation];
  const hidden = (units: Tensor, gate: Tensor | undefined): Tensor => (gate ? mul(f(gate), units) : f(units));
  return {
    params: {
      inner: bias ? { kernel: into, bias: param([count, expertSize], zeros) } : { kernel: into },
      ...(gated ? { gate: { kernel: into } } : {}),
      outer: { kernel: param([count, expertSize, dModel], glorot(expertSize, dModel)) },
    },
    apply(w, rows) {
      const product = einsum(rows, w.inner.kernel, "E C D, E D F -> E C F");
      const units = w.inner.bias ? add(product, reshape(w.inner.bias, [count, 1, expertSize])) : product;
      const gate = w.gate && einsum(rows, w.gate.kernel, "E C D, E D F -> E C F");
      return einsum(hidden(units, gate), w.outer.kernel, "E C F, E F D -> E C D");
    },
    applyChosen(w, row, chosen) {
      const product = einsum(row, gather(w.inner.kernel, chosen), "N D, N K D F -> N K F");
      const units = w.inner.bias ? add(product, gather(w.inner.bias, chosen)) : product;
      const gate = w.gate && einsum(row, gather(w.gate.kernel, chosen), "N D, N K D F -> N K F");
      return einsum(hidden(units, gate), gather(w.outer.kernel, chosen), "N K F, N K F D -> N K D");
    },
  };
}
