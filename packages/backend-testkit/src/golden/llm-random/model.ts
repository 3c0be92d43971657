import {
  add,
  broadcastTo,
  concat,
  crossEntropy,
  gather,
  gradient,
  mean,
  reshape,
  scalar,
  slice,
  type Tensor,
} from "@finegrain/graph";
import { type Context, dense, evaluation, openLedger } from "@finegrain/nn";
import { adamW } from "@finegrain/train";
import type { Arguments } from "../arguments.ts";
import { Unsupported } from "../case.ts";
import type { Allowance } from "../checks.ts";
import { type Computed, type Given, under, type WeightSource } from "../given.ts";
import { attentionPart, blockPart, feedForwardPart, normPart } from "./parts.ts";
import { linear } from "./weights.ts";

/** One Transformer block, whose parts the class's name tells. */
export function blockCase(given: Given): Tensor {
  const { arguments: options, metadata } = given;
  const match = /\(PreNorm (\w+), (Attention(?:RoPE)? causal), ([^)]*)\)$/.exec(metadata.class!);
  if (!match) throw new Unsupported(`the block ${metadata.class}`);
  const [, norm, attention, kind] = match as unknown as [string, string, string, string]; // all three are there
  const sizes = { dModel: options.number("dmodel"), heads: options.number("heads") };
  options.any("length"); // of the table of rotations
  const { layer, weights } = blockPart({
    norm: normPart(norm, sizes),
    attention: attentionPart(attention, sizes),
    feedForward: feedForwardPart(kind, options, sizes),
  });
  return layer.apply(weights(under(given, "block.")), given.input(), given.context);
}

type Model = (source: WeightSource, tokens: Tensor, context: Context) => Tensor;

/** Token and position embeddings, blocks, a head without norm or bias. */
function languageModel(options: Arguments): Model {
  const sizes = { dModel: options.number("dmodel"), heads: options.number("heads") };
  const { layer, weights } = blockPart({
    norm: normPart(options.text("norm", "LayerNorm"), sizes),
    attention: attentionPart(options.text("attention", "Attention causal"), sizes),
    feedForward: feedForwardPart(options.text("ff", ""), options, sizes),
  });
  const hasPositions = options.oneOf("positions", ["learned", "none"], "learned") === "learned";
  const [count, vocabulary] = [options.number("n_blocks"), options.number("vocab")];
  const head = dense({ dIn: sizes.dModel, dOut: vocabulary, bias: false });
  for (const size of ["seq", "batch"]) options.any(size);
  return (source, tokens, context) => {
    const embedded = gather(source.take("embedding_layer.layers.0.weight"), tokens);
    let x = hasPositions ? add(embedded, positionsOf(source, tokens.shape[1]!)) : embedded;
    for (let i = 0; i < count; i++) {
      const own = under(source, `encoder.blocks.block_${i}.block.`);
      x = layer.apply(weights(own), x, context);
    }
    return head.apply({ kernel: linear(source, "head") }, x, context);
  };
}

function positionsOf(source: WeightSource, time: number): Tensor {
  const table = source.take("embedding_layer.layers.1.layer.weight");
  return slice(table, { starts: [0, 0], ends: [time, table.shape[1]!] });
}

const ofWeights = (weights: ReadonlyMap<string, Tensor>): WeightSource => ({
  has: (name) => weights.has(name),
  take(name) {
    const found = weights.get(name);
    if (!found) throw new Unsupported(`a model without the weight ${name}`);
    return found;
  },
});

/** What the generator trained with: README.md of the cases. */
const OPTIMIZER = adamW({ beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 });
const LEARNING_RATE = 1e-3;

/** Logits of a small language model, and its losses and gradients by their names in the file. */
export function languageModelCase(
  given: Given,
  allowed: Allowance,
): { readonly output: Tensor; readonly others: Map<string, Computed> } {
  const model = languageModel(given.arguments);
  const targets = given.tensor("target");
  const losses = (weights: ReadonlyMap<string, Tensor>) => {
    const ledger = openLedger();
    const logits = model(ofWeights(weights), given.input(), { ...evaluation, ledger });
    const entropy = mean(crossEntropy(logits, targets), { axes: [0, 1] });
    return { logits, entropy, ledger, total: [...ledger.losses.values()].reduce((a, b) => add(a, b), entropy) };
  };
  const start = new Map(given.weightNames().map((name) => [name, given.take(name)]));
  const first = losses(start);
  const one = (value: Tensor, absolute: number): Computed => ({
    value: reshape(value, [1]),
    allowed: { absolute, relative: 0 },
  });
  const others = new Map<string, Computed>([
    ["loss.ce", one(first.entropy, 1e-5)],
    ["loss.total", one(first.total, 1e-5)],
    ...auxiliaryNames.flatMap(([name, ours]): [string, Computed][] =>
      given.hasTensor(name) ? [[name, one(first.ledger.losses.get(ours)!, 1e-5)]] : [],
    ),
    ...given.gradients("grad.", first.total, allowed),
  ]);
  if (given.hasTensor("train.losses")) {
    const steps = given.stored("train.losses").shape[0]!;
    const value = concat(...trained(start, steps, (weights) => losses(weights).total), { axis: 0 });
    others.set("train.losses", { value, allowed: { absolute: 1e-4, relative: 0 } });
  }
  return { output: first.logits, others };
}

/** Their names of our auxiliary losses. */
export const auxiliaryNames = [
  ["loss.load_balancing", "loadBalancing"],
  ["loss.z", "routerZ"],
] as const;

/** The loss before each of so many optimizer steps, [1] each, all in one graph. */
function trained(
  start: ReadonlyMap<string, Tensor>,
  steps: number,
  loss: (weights: ReadonlyMap<string, Tensor>) => Tensor,
): Tensor[] {
  const zeros = ({ shape }: Tensor) => broadcastTo(scalar(0), shape);
  let state = new Map(
    [...start].map(([name, param]) => [name, { param, slots: { m: zeros(param), v: zeros(param) } }]),
  );
  return Array.from({ length: steps }, (_, step) => {
    const weights = new Map([...state].map(([name, { param }]) => [name, param]));
    const value = loss(weights);
    const gradients = gradient(value, [...weights.values()]);
    const [now, learningRate] = [scalar(step, "int32"), scalar(LEARNING_RATE)];
    state = new Map(
      [...state].map(([name, own], i) => {
        const { param, slots } = OPTIMIZER.update({ ...own, gradient: gradients[i]!, step: now, learningRate });
        return [name, { param, slots: { m: slots.m!, v: slots.v! } }];
      }),
    );
    return reshape(value, [1]);
  });
}
