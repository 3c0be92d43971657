import { multiplicativeDense } from "../projections/multiplicative-dense.ts";
import { multiplicativeModularDense } from "../projections/multiplicative-modular-dense.ts";
import { alike, attention, square } from "./attention.ts";
import { expectModules, modules } from "./attention-options.ts";
import { defineAttention } from "./definition.ts";

/** Multiplicative projections. Jaszczur et al. 2021, 3.2; Trax `MultiplicativeCausalAttention`. */
export const multiplicativeAttention = defineAttention({
  name: "multiplicative",
  summary: "a multiplicative layer for every projection",
  bothDirections: true,
  options: { modules },
  check: expectModules,
  build: (config) => attention(config, alike(multiplicativeDense({ ...square(config), modules: config.modules }))),
  cases: [{ options: { modules: 2 } }],
});

/** Multiplicative projections with a small dense one in every module. Trax `MultiplicativeModularCausalAttention`. */
export const multiplicativeModularAttention = defineAttention({
  name: "multiplicative-modular",
  summary: "a multiplicative layer for every projection, and a small dense one in every module",
  bothDirections: true,
  options: { modules },
  check: expectModules,
  build: (config) =>
    attention(config, alike(multiplicativeModularDense({ ...square(config), modules: config.modules }))),
  cases: [{ options: { modules: 2 } }],
});
