import { broadcastTo, graph, type HostTensor, input, scalar, type Tensor } from "@finegrain/graph";
import { adafactor, adamW, clipByGlobalNorm, type Optimizer, type Slots } from "@finegrain/train";
import { Arguments } from "../arguments.ts";
import { type GoldenCase, tensorOf, Unsupported } from "../case.ts";
import type { Check, Trial } from "../checks.ts";

/** README.md of the cases: to 1e-5 of the largest. */
const WEIGHTS = { ofLargest: 1e-5 };

/** Trax multiplies weights by 1 - rate, whatever the learning rate. */
const decayOf = (options: Arguments) =>
  ({ weightDecay: options.number("weight_decay_rate", 1e-5), weightDecayScale: "fixed" }) as const;

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
      clippingThreshold: options.boolean("do_clipping", true) ? options.number("clipping_threshold", 1) : 0,
      decayRate: options.number("decay_rate", 0.8),
      beta1: momentumOf(options),
      epsilon1: options.number("epsilon1", 1e-16),
      epsilon2: options.number("epsilon2", 1e-3),
    }),
};

function momentumOf(options: Arguments): number {
  const beta1 = options.number("beta1", 0);
  return options.boolean("do_momentum", false) ? beta1 : 0;
}

export const isOptimizer = (source: string): boolean => Object.hasOwn(optimizers, source);

/** `start.i`, then `gradient.step.i` in and `weights.step.i` out, all steps in one graph. */
export function optimizerTrial(golden: GoldenCase): Trial {
  const options = Arguments.parse(golden.metadata.arguments);
  const optimizer = optimizers[golden.metadata.source!]!(options);
  const learningRate = scalar(options.number("learning_rate"));
  const clip = options.any("clip_grad_norm");
  options.expectAllRead(golden.metadata.mode ?? "train");

  const inputs: Tensor[] = [];
  const values: HostTensor[] = [];
  const stored = (name: string): Tensor => {
    const value = tensorOf(golden, name);
    const x = input(value.shape, value.dtype, name);
    inputs.push(x);
    values.push(value);
    return x;
  };
  const count = (prefix: string) => countUp((i) => golden.tensors.has(`${prefix}${i}`));
  const params = Array.from({ length: count("start.") }, (_, i) => stored(`start.${i}`));
  const steps = countUp((step) => golden.tensors.has(`gradient.${step}.0`));
  if (params.length === 0 || steps === 0) throw new Unsupported("an optimizer case without start and gradients");

  let state = params.map((param) => ({ param, slots: zeroSlots(optimizer, param) }));
  const outputs: Tensor[] = [];
  const checks: Check[] = [];
  for (let step = 0; step < steps; step++) {
    const raw = Object.fromEntries(params.map((_, i) => [i, stored(`gradient.${step}.${i}`)]));
    const gradients = typeof clip === "number" ? clipByGlobalNorm(raw, { maxNorm: clip }).gradients : raw;
    const now = scalar(step, "int32");
    state = state.map((own, i) => optimizer.update({ ...own, gradient: gradients[i]!, step: now, learningRate }));
    for (const [i, { param }] of state.entries()) {
      const name = `weights.${step}.${i}`;
      outputs.push(param);
      checks.push({ name, expected: tensorOf(golden, name), allowed: WEIGHTS });
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
