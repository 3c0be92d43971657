import { add, slice } from "@finegrain/graph";
import { sinusoid } from "../../init.ts";
import { type Param, param } from "../../layer.ts";
import { definePositions, type PositionLayer } from "./definition.ts";
import { expectLength, rowsAt } from "./places.ts";

/**
 * A trained table of positions that starts as the sinusoids: Trax's `PositionalEncoding`.
 *
 *   x  float32 [batch, time, dModel]    table  [maxLength, dModel]
 */
export const learnedPositions = definePositions({
  name: "learned",
  summary: "add a trained table that starts as the sinusoids",
  options: {},
  build: ({ dModel, maxLength }): PositionLayer<{ table: Param }> => ({
    params: { table: param([maxLength, dModel], sinusoid) },
    apply(w, x) {
      expectLength(x, maxLength);
      return add(x, slice(w.table, { starts: [0, 0], ends: [x.shape[1]!, dModel] }));
    },
    decode(w, x, position) {
      expectLength(x, maxLength);
      return add(x, rowsAt(w.table, x.shape[1]!, position));
    },
  }),
  cases: [{ options: {} }],
});
