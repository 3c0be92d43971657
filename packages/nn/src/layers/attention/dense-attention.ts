import { dense } from "../projections/dense.ts";
import { attention, square } from "./attention.ts";
import { defineAttention } from "./definition.ts";

/** Dense projections. */
export const denseAttention = defineAttention({
  name: "dense",
  summary: "a dense matrix for each of query, key, value and output",
  bothDirections: true,
  options: {},
  build: (config) => attention(config, dense(square(config))),
  cases: [{ options: {} }],
});
