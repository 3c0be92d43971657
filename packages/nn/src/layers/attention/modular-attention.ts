import { locallyConnectedDense } from "../projections/locally-connected-dense.ts";
import { locallyConvolutionalDense } from "../projections/locally-convolutional-dense.ts";
import { alike, attention, square } from "./attention.ts";
import { expectModules, moduleKernel, modules } from "./attention-options.ts";
import { defineAttention } from "./definition.ts";

const options = { modules, kernel: moduleKernel };

/** A small dense projection in every module, around `kernel` modules. Trax `ModularCausalAttention`. */
export const modularAttention = defineAttention({
  name: "modular",
  summary: "a small dense projection in every module",
  bothDirections: true,
  options,
  check: expectModules,
  build: ({ modules, kernel, ...config }) =>
    attention(config, alike(locallyConnectedDense({ ...square(config), modules, kernel }))),
  cases: [{ options: { modules: 2 } }, { options: { modules: 4, kernel: 3 } }],
});

/** One small dense projection for all modules, around `kernel` modules. Trax `ConvCausalAttention`. */
export const convolutionalAttention = defineAttention({
  name: "convolutional",
  summary: "one small dense projection for all modules",
  bothDirections: true,
  options,
  check: expectModules,
  build: ({ modules, kernel, ...config }) =>
    attention(config, alike(locallyConvolutionalDense({ ...square(config), modules, kernel, lengthKernel: 1 }))),
  cases: [{ options: { modules: 2 } }, { options: { modules: 4, kernel: 3 } }],
});
