import { gather, type Tensor } from "@finegrain/graph";
import { normal } from "../init.ts";
import { type Layer, type Param, param } from "../layer.ts";

export interface EmbeddingConfig {
  readonly vocabulary: number;
  readonly dModel: number;
  /** Deviation of its first values. Default 1. */
  readonly std?: number;
}

/** Rows of a table: int32 [batch, time] -> float32 [batch, time, dModel]. */
export const embedding = ({ vocabulary, dModel, std = 1 }: EmbeddingConfig): Layer<{ table: Param }> => ({
  params: { table: param([vocabulary, dModel], normal(std)) },
  apply: (w, tokens: Tensor) => gather(w.table, tokens),
});
