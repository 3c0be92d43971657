export { type AdafactorConfig, adafactor } from "./adafactor.ts";
export { type AdamWConfig, adamW } from "./adamw.ts";
export { type MomentumConfig, momentum } from "./momentum.ts";
export type { Optimizer, OptimizerStep, Slots } from "./optimizer.ts";
export type { WeightDecayConfig } from "./weight-decay.ts";
