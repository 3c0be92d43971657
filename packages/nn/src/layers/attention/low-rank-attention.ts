import { whole } from "../../definition/option.ts";
import { lowRankDense } from "../projections/low-rank-dense.ts";
import { alike, attention, square } from "./attention.ts";
import { defineAttention } from "./definition.ts";

/** Two narrow matrices for every projection. Trax `LowRankCausalAttention`. */
export const lowRankAttention = defineAttention({
  name: "low-rank",
  summary: "two narrow matrices for every projection",
  bothDirections: true,
  options: {
    rank: whole({ doc: "width between the two", suggest: ({ dModel }) => Math.max(1, Math.floor(dModel / 8)) }),
  },
  build: (config) => attention(config, alike(lowRankDense({ ...square(config), rank: config.rank }))),
  cases: [{ options: { rank: 3 } }],
});
