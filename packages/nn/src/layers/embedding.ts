import { gather, type Tensor } from "@finegrain/graph";
import { normal } from "../init.ts";
import { type Layer, type Param, param } from "../layer.ts";

export interface EmbeddingConfig {
  readonly vocabulary: number;
  readonly dModel: number;
}

/** Rows of a table: int32 [batch, time] -> float32 [batch, time, dModel]. */
export const embedding = ({ vocabulary, dModel }: EmbeddingConfig): Layer<{ table: Param }> => ({
  params: { table: param([vocabulary, dModel], normal(1)) },
  apply: (w, tokens: Tensor) => gather(w.table, tokens),
});
