import { broadcastTo, graph, type HostTensor, input, scalar, type Tensor } from "@finegrain/graph";
import {
  adafactor,
  adamW,
  clipByGlobalNorm,
  momentum,
  type Optimizer,
  type Slots,
  type WeightDecayConfig,
} from "@finegrain/train";
import { Arguments } from "../arguments.ts";
import { type GoldenCase, tensorOf, Unsupported } from "../case.ts";
import type { Check, Trial } from "../checks.ts";

/** README.md of the cases: to 1e-5 of the largest. */
const WEIGHTS = { ofLargest: 1e-5 };

/** Trax multiplies weights by 1 - rate, whatever the learning rate. */
function decayOf(options: Arguments): WeightDecayConfig {
  const steps = options.number("weight_decay_n_steps", 0);
  return {
    weightDecay: options.number("weight_decay_rate", 1e-5),
    weightDecayScale: "fixed",
    ...(steps >= 1 ? { weightDecaySteps: steps } : {}),
  };
}

/** By Trax's names. */
const optimizers: Readonly<Record<string, (options: Arguments) => Optimizer>> = {
  Adam: (options) =>
    adamW({
      ...decayOf(options),
      beta1: options.number("b1", 0.9),
      beta2: options.number("b2", 0.999),
      epsilon: options.number("eps", 1e-5),
    }),
  Adafactor: (options) =>
    adafactor({
      ...decayOf(options),
      factored: options.boolean("factored", true),
      multiplyByParameterScale: options.boolean("multiply_by_parameter_scale", true),
      clippingThreshold: clippingOf(options),
      decayRate: options.number("decay_rate", 0.8),
      beta1: momentumOf(options),
      epsilon1: options.number("epsilon1", 1e-16),
      epsilon2: options.number("epsilon2", 1e-3),
    }),
  Momentum: (options) =>
    momentum({
      ...decayOf(options),
      mass: options.number("mass", 0.9),
      nesterov: options.boolean("nesterov", true),
    }),
};

function clippingOf(options: Arguments): number {
  const threshold = options.number("clipping_threshold", 1);
  return options.boolean("do_clipping", true) ? threshold : 0;
}

function momentumOf(options: Arguments): number {
  const beta1 = options.number("beta1", 0);
  return options.boolean("do_momentum", false) ? beta1 : 0;
}

/** Trax's names of the optimizers that are ours. */
export const optimizerNames: readonly string[] = Object.keys(optimizers);

/** How a family of cases stores an optimizer's steps. */
export interface OptimizerFile {
  /** Trax's name of the optimizer. */
  readonly source: string;
  readonly options: Arguments;
  /** Of the parameters, in their order. */
  readonly names: readonly string[];
  /** Numbers of the steps. */
  readonly steps: readonly number[];
  /** Where a parameter's first value, and each step's gradient and result, are stored. `step` counts the steps in the file. */
  start(name: string): string;
  gradient(step: number, name: string): string;
  weights(step: number, name: string): string;
}

/** `start.i`, then `gradient.step.i` in and `weights.step.i` out. */
export function optimizerTrial(golden: GoldenCase): Trial {
  const count = (prefix: string) => countUp((i) => golden.tensors.has(`${prefix}${i}`));
  return optimizerTrialOf(golden, {
    source: golden.metadata.source!,
    options: Arguments.parse(golden.metadata.arguments),
    names: Array.from({ length: count("start.") }, (_, i) => `${i}`),
    steps: Array.from({ length: countUp((step) => golden.tensors.has(`gradient.${step}.0`)) }, (_, step) => step),
    start: (name) => `start.${name}`,
    gradient: (step, name) => `gradient.${step}.${name}`,
    weights: (step, name) => `weights.${step}.${name}`,
  });
}

/** All steps in one graph. */
export function optimizerTrialOf(golden: GoldenCase, file: OptimizerFile): Trial {
  const { options, names, steps } = file;
  const optimizer = optimizers[file.source]!(options);
  const learningRate = scalar(options.number("learning_rate"));
  const clip = options.any("clip_grad_norm");
  options.expectAllRead(golden.metadata.mode ?? "train");
  if (names.length === 0 || steps.length === 0) throw new Unsupported("an optimizer case without start and gradients");

  const inputs: Tensor[] = [];
  const values: HostTensor[] = [];
  const stored = (name: string): Tensor => {
    const value = tensorOf(golden, name);
    const x = input(value.shape, value.dtype, name);
    inputs.push(x);
    values.push(value);
    return x;
  };
  let state = names.map((name) => {
    const param = stored(file.start(name));
    return { name, param, slots: zeroSlots(optimizer, param) };
  });
  const outputs: Tensor[] = [];
  const checks: Check[] = [];
  for (const [i, number] of steps.entries()) {
    const raw = Object.fromEntries(names.map((name) => [name, stored(file.gradient(i, name))]));
    const gradients = typeof clip === "number" ? clipByGlobalNorm(raw, { maxNorm: clip }).gradients : raw;
    const step = scalar(number, "int32");
    state = state.map(({ name, ...own }) => ({
      name,
      ...optimizer.update({ ...own, gradient: gradients[name]!, step, learningRate }),
    }));
    for (const { name, param } of state) {
      const stored = file.weights(i, name);
      outputs.push(param);
      checks.push({ name: stored, expected: tensorOf(golden, stored), allowed: WEIGHTS });
    }
  }
  return { graph: graph({ name: golden.name, inputs, outputs }), values, checks };
}

/** How many numbers from 0 on hold. */
function countUp(holds: (i: number) => boolean): number {
  let n = 0;
  while (holds(n)) n++;
  return n;
}

const zeroSlots = (optimizer: Optimizer, { shape }: Tensor): Slots<Tensor> =>
  Object.fromEntries(
    Object.entries(optimizer.slots({ shape })).map(([name, type]) => [name, broadcastTo(scalar(0), type.shape)]),
  );
