import {
  add,
  crossEntropy,
  gather,
  gradient,
  graph,
  type HostTensor,
  hostTensor,
  input,
  mean,
  reshape,
  scalar,
  slice,
  type Tensor,
  zeroTensor,
} from "@finegrain/graph";
import { type Context, dense, evaluation, openLedger } from "@finegrain/nn";
import { adamW } from "@finegrain/train";
import type { Arguments } from "../arguments.ts";
import { Unsupported } from "../case.ts";
import type { Allowance, Iteration } from "../checks.ts";
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

type Named = ReadonlyMap<string, Tensor>;
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

const ofWeights = (weights: Named): WeightSource => ({
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
): { readonly output: Tensor; readonly others: Map<string, Computed>; readonly iteration?: Iteration } {
  const model = languageModel(given.arguments);
  const losses = (weights: Named, tokens: Tensor, targets: Tensor) => {
    const ledger = openLedger();
    const logits = model(ofWeights(weights), tokens, { ...evaluation, ledger });
    const entropy = mean(crossEntropy(logits, targets), { axes: [0, 1] });
    return { logits, entropy, ledger, total: [...ledger.losses.values()].reduce((a, b) => add(a, b), entropy) };
  };
  const start = new Map(given.weightNames().map((name) => [name, given.take(name)]));
  const first = losses(start, given.input(), given.tensor("target"));
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
  const iteration = given.hasTensor("train.losses")
    ? training(given, (weights, x, y) => losses(weights, x, y).total)
    : undefined;
  return { output: first.logits, others, ...(iteration ? { iteration } : {}) };
}

/** Their names of our auxiliary losses. */
export const auxiliaryNames = [
  ["loss.load_balancing", "loadBalancing"],
  ["loss.z", "routerZ"],
] as const;

/** The losses that float32 settles: all, unless the case says how many, and why. */
function settledLosses(given: Given): HostTensor {
  const { data, shape } = given.stored("train.losses");
  const count = Number(given.metadata.train_settled ?? shape[0]);
  return hostTensor("float32", [count], data.slice(0, count));
}

/** (weights, moments, step, tokens, targets) -> (weights, moments, step, loss before the step). */
function training(given: Given, loss: (weights: Named, tokens: Tensor, targets: Tensor) => Tensor): Iteration {
  const names = given.weightNames();
  const stored = names.map((name) => given.stored(`weights.${name}`));
  const copies = (what: string) => stored.map(({ shape }, i) => input(shape, "float32", `${what} ${names[i]}`));
  const [params, m, v] = [copies("param"), copies("m"), copies("v")];
  const step = input([], "int32", "step");
  const [tokens, targets] = ["input", "target"].map((name) => input(given.stored(name).shape, "int32", name));
  const value = loss(new Map(names.map((name, i) => [name, params[i]!])), tokens!, targets!);
  const gradients = gradient(value, params);
  const moved = params.map((param, i) =>
    OPTIMIZER.update({
      param,
      slots: { m: m[i]!, v: v[i]! },
      gradient: gradients[i]!,
      step,
      learningRate: scalar(LEARNING_RATE),
    }),
  );
  const slots = (name: string) => moved.map(({ slots: after }) => after[name]!);
  const expected = settledLosses(given);
  return {
    graph: graph({
      name: "optimizer step",
      inputs: [...params, ...m, ...v, step, tokens!, targets!],
      outputs: [...moved.map(({ param }) => param), ...slots("m"), ...slots("v"), add(step, 1), reshape(value, [1])],
    }),
    values: [
      ...stored,
      ...[...stored, ...stored].map(zeroTensor),
      hostTensor("int32", [], [0]),
      given.stored("input"),
      given.stored("target"),
    ],
    times: expected.shape[0]!,
    check: { name: "train.losses", expected, allowed: { absolute: 1e-4, relative: 0 } },
  };
}
