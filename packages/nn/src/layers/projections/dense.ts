import { add, einsum } from "@finegrain/graph";
import { glorot, zeros } from "../../init.ts";
import { type Layer, matrix, type Param, param } from "../../layer.ts";
import { filtered, type InputFilter, kept } from "./active-inputs.ts";

export interface DenseConfig {
  readonly dIn: number;
  readonly dOut: number;
  /** Default true. */
  readonly bias?: boolean;
  /** Default: all of the input counts. */
  readonly filter?: InputFilter | undefined;
}

export type DenseParams = { readonly kernel: Param; readonly bias?: Param };

/**
 * y = x W + b.
 *
 * Axes: B batch, T time, I in, O out.
 */
export function dense({ dIn, dOut, bias = true, filter }: DenseConfig): Layer<DenseParams> {
  const kernel = filtered(matrix(dIn, dOut, glorot(dIn, dOut)), filter);
  return {
    params: bias ? { kernel, bias: param([dOut], zeros) } : { kernel },
    apply(w, x) {
      const y = einsum(kept(x, filter), w.kernel, "B T I, I O -> B T O");
      return w.bias ? add(y, w.bias) : y;
    },
  };
}
