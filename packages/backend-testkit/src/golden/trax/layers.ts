import {
  add,
  broadcastTo,
  concat,
  mul,
  pad,
  reshape,
  type Shape,
  scalar,
  size,
  slice,
  type Tensor,
  type TensorType,
  transpose,
} from "@finegrain/graph";
import {
  type Activation,
  attentionOf,
  blockSparseFeedForward,
  type CachedLayer,
  type Context,
  type DecodedLayer,
  dense,
  favorAttention,
  feedForward,
  layerNorm,
  learnedPositions,
  locallyConnectedDense,
  locallyConvolutionalDense,
  lowRankDense,
  multiplicativeDense,
  multiplicativeModularDense,
  type Params,
  type PositionLayer,
  type RandomSource,
  rmsNorm,
  sru,
  switchFeedForward,
  traxSparseFeedForward,
  type Weights,
} from "@finegrain/nn";
import type { Arguments } from "../arguments.ts";
import { Unsupported } from "../case.ts";
import { type Given, zeros } from "../given.ts";
import { attentionNames, traxAttention } from "./attention.ts";
import { reversibleSerialCase } from "./reversible.ts";
import {
  attentionWeights,
  blockSparseWeights,
  connectedWeights,
  convolutionWeights,
  feedForwardWeights,
  lowRankWeights,
  modularWeights,
  multiplicativeWeights,
  oneOfEachBlockWeights,
} from "./weights.ts";

/** A layer of Trax in our layers: the output, or all of several, as a graph over what the case gives. */
export type Adapter = (given: Given) => Tensor | readonly Tensor[];

const dIn = (given: Given): number => given.input().shape.at(-1)!;

/** In `predict` mode one call of Trax is a step from empty caches. */
export function applyOrStep<P extends Params>(layer: CachedLayer<P>, w: Weights<P>, given: Given): Tensor {
  const x = given.input();
  const [batch, time] = x.shape as [number, number];
  let caches: Readonly<Record<string, Tensor>> = Object.fromEntries(
    Object.entries(layer.caches(batch, time)).map(([name, { shape }]: [string, TensorType]) => [name, zeros(shape)]),
  );
  const decode = (part: Tensor, position: number): Tensor => {
    const step = layer.decode(w, part, caches, scalar(position, "int32"));
    caches = step.caches;
    return step.y;
  };
  if (given.mode === "predict") return decode(x, 0);
  given.compare("predict.0", () => inTwoSteps(x, decode));
  return layer.apply(w, x, given.context);
}

/** As {@link applyOrStep}, of a layer without caches. */
export function applyOrDecode<P extends Params>(
  layer: DecodedLayer<P>,
  w: Weights<P>,
  given: Given,
  context: Context,
  x = given.input(),
): Tensor {
  if (given.mode === "predict") return layer.decode(w, x);
  given.compare("predict.0", () => inTwoSteps(x, (part) => layer.decode(w, part)));
  return layer.apply(w, x, context);
}

/** What decoding makes of all tokens but the last, and then of the last: [batch, time, ...] and the tokens before it. */
export function inTwoSteps(x: Tensor, decode: (part: Tensor, position: number) => Tensor): Tensor {
  const last = x.shape[1]! - 1;
  const none = x.shape.map(() => 0);
  const first = slice(x, { starts: none, ends: x.shape.with(1, last) });
  return concat(decode(first, 0), decode(slice(x, { starts: none.with(1, last), ends: x.shape }), last), { axis: 1 });
}

const spelling = (name: string): string => name.replaceAll("_", "").toLowerCase();
const activationNames: Readonly<Record<string, Activation>> = {
  relu: "relu",
  gelu: "gelu",
  fastgelu: "fastGelu",
  silu: "silu",
  swish: "silu",
};

/** @throws Unsupported where our feed-forward layer has no such activation. */
export function activationOf(options: Arguments, argument: string): Activation {
  const name = options.text(argument, "relu");
  const found = activationNames[spelling(name)];
  if (found === undefined) throw new Unsupported(`the activation ${name}`);
  return found;
}

export function feedForwardCase(given: Given, x = given.input()): Tensor {
  const w = feedForwardWeights(given);
  const [dFf, dModel] = w.inner.kernel.shape as [number, number];
  given.arguments.any("d_model");
  given.arguments.any("d_ff");
  const layer = feedForward({ dModel, dFf, activation: activationOf(given.arguments, "activation") });
  return layer.apply(w, x, given.context);
}

export function sparseFeedForwardCase(given: Given): Tensor {
  const { arguments: options } = given;
  const w = oneOfEachBlockWeights(given);
  const layer = traxSparseFeedForward({
    dModel: dIn(given),
    dFf: options.number("d_ff"),
    blockSize: options.number("n_elements_in_block", 32),
    rank: options.number("d_lowrank", 64),
    temperature: options.number("temperature", 0.1),
    quantizeProbability: options.number("quant_prob", 0.3),
    multiplyByControllerOutput: options.boolean("multiply_by_controller_output", false),
    kernelScaling: options.boolean("kernel_scaling", false),
  });
  return applyOrDecode(layer, w, given, { ...given.context, random: hardOrSoftForAll(given.context.random) });
}

/** Trax draws once for a whole batch whether the choice is hard, and the layer for every sequence: [batch, 1, 1, 1]. */
export const hardOrSoftForAll = (random: RandomSource): RandomSource => ({
  uniform: (shape) =>
    shape.length === 4 && size(shape) === shape[0]
      ? broadcastTo(reshape(random.uniform([1]), [1, 1, 1, 1]), shape)
      : random.uniform(shape),
});

/** The draw that decides between hard and soft is from -1 to 1, and ours from 0 to 1. */
function blockSparseCase(make: typeof blockSparseFeedForward | typeof switchFeedForward): Adapter {
  return (given) => {
    const { arguments: options, context } = given;
    const temperature = options.any("temperature");
    const layer = make({
      dModel: dIn(given),
      dFf: options.number("d_ff"),
      experts: options.number("n_experts"),
      ...(typeof temperature === "number" ? { temperature } : {}),
    });
    const w = blockSparseWeights(given);
    const uniform: RandomSource["uniform"] = (shape) => {
      const draw = context.random.uniform(shape);
      return shape.length === 1 ? mul(add(draw, 1), 0.5) : draw;
    };
    return applyOrDecode(layer, w, given, { ...context, random: { uniform } });
  };
}

function normCase(given: Given): Tensor {
  const epsilon = given.arguments.number("epsilon", 1e-6);
  const config = { dModel: dIn(given), epsilon };
  const [scale, bias] = [given.take("scale"), given.take("bias")];
  return given.arguments.boolean("center", true)
    ? layerNorm(config).apply({ scale, bias }, given.input(), given.context)
    : rmsNorm(config).apply({ scale }, given.input(), given.context);
}

export function addPositions<P extends Params>(layer: PositionLayer<P>, w: Weights<P>, given: Given): Tensor {
  const decode = (part: Tensor, position: number) => layer.decode(w, part, scalar(position, "int32"));
  given.compare("predict.0", () => inTwoSteps(given.input(), decode));
  return layer.apply(w, given.input(), given.context);
}

/** The table is the only weight, whatever its name. */
function positionsCase(given: Given): Tensor {
  const stored = given.take(given.weightNames()[0] ?? "000");
  const [maxLength, dModel] = stored.shape as [number, number];
  return addPositions(learnedPositions({ dModel, heads: 1, maxLength }), { table: stored }, given);
}

/** Trax's models see their tokens one later, behind a zero. In `predict` they are fed that way. */
export function shiftRight(tokens: Tensor, by = 1): Tensor {
  const low = tokens.shape.map((_, axis) => (axis === 1 ? by : 0));
  const none: Shape = tokens.shape.map(() => 0);
  return slice(pad(tokens, { low, high: none }), { starts: none, ends: tokens.shape });
}

function multiplicativeCase(given: Given): Tensor {
  const { arguments: options } = given;
  const bias = options.boolean("use_bias", true);
  const layer = multiplicativeDense({
    dIn: options.number("d_in"),
    dOut: options.number("d_out"),
    modules: options.number("n_modules"),
    bias,
  });
  return layer.apply(multiplicativeWeights(given, "", bias), given.input(), given.context);
}

function modularCase(given: Given): Tensor {
  const dOut = given.arguments.number("d_feature");
  const layer = multiplicativeModularDense({ dIn: dIn(given), dOut, modules: given.arguments.number("sparsity") });
  return layer.apply(modularWeights(given, ""), given.input(), given.context);
}

function convolutionalCase(given: Given): Tensor {
  const { arguments: options } = given;
  const modules = options.number("n_modules");
  const layer = locallyConvolutionalDense({
    dIn: dIn(given),
    dOut: modules * options.number("n_units"),
    modules,
    kernel: options.number("kernel_size", 1),
    lengthKernel: options.number("length_kernel_size", 1),
  });
  return applyOrStep(layer, convolutionWeights(given, ""), given);
}

function connectedCase(given: Given): Tensor {
  const { arguments: options } = given;
  const modules = options.number("n_modules");
  const kernel = options.number("kernel_size", 1);
  const layer = locallyConnectedDense({ dIn: dIn(given), dOut: modules * options.number("n_units"), modules, kernel });
  const w = connectedWeights(given, "", options.boolean("use_bias", true));
  return layer.apply(w, given.input(), given.context);
}

function lowRankCase(given: Given): Tensor {
  const { arguments: options } = given;
  const config = { dIn: dIn(given), dOut: options.number("n_units"), rank: options.number("d_lowrank") };
  return lowRankDense(config).apply(lowRankWeights(given, ""), given.input(), given.context);
}

/** A plain dense layer, whose kernel may have any name. */
function denseCase(given: Given): Tensor {
  const dOut = given.arguments.number("n_units");
  const kernel = given.weightNames().find((name) => given.shapeOf(name).length === 2);
  if (kernel === undefined) throw new Unsupported("a dense layer without a matrix");
  const bias = given.arguments.boolean("use_bias", true);
  const vector = given.weightNames().find((name) => given.shapeOf(name).length === 1);
  if (bias && vector === undefined) throw new Unsupported("a dense layer without its bias");
  const w = bias ? { kernel: given.take(kernel), bias: given.take(vector!) } : { kernel: given.take(kernel) };
  return dense({ dIn: dIn(given), dOut, bias }).apply(w, given.input(), given.context);
}

/** A dense layer whose kernel is [out, in]: Trax `EinsumDense`. */
export function turnedDense(given: Given, dOut: number, bias: boolean): Tensor {
  const kernel = transpose(given.take("kernel"), [1, 0]);
  const w = bias ? { kernel, bias: given.take("bias") } : { kernel };
  return dense({ dIn: dIn(given), dOut, bias }).apply(w, given.input(), given.context);
}

/** Trax's choice of a sparse loss layer. */
function lossCase(given: Given): Tensor {
  const { arguments: options } = given;
  const type = options.oneOf("sparsity_type", ["None", "mult", "lowrank", "einsum", "local", "local3"], "None");
  const [dOut, x] = [options.number("n_units"), given.input()];
  const modules = () => options.number("sparsity");
  const bias = options.boolean("use_bias", true);
  options.any("d_input");
  if (type !== "lowrank") options.any("d_lowrank");
  if (type === "None" || type === "lowrank" || type === "einsum") options.any("sparsity");
  switch (type) {
    case "None":
      return denseCase(given);
    case "einsum":
      return turnedDense(given, dOut, bias);
    case "mult": {
      const layer = multiplicativeDense({ dIn: dIn(given), dOut, modules: modules(), bias });
      return layer.apply(multiplicativeWeights(given, "", bias), x, given.context);
    }
    case "lowrank":
      return lowRankCase(given);
    case "local":
    case "local3": {
      const kernel = type === "local" ? 1 : 3;
      const layer = locallyConnectedDense({ dIn: dIn(given), dOut, modules: modules(), kernel });
      return layer.apply(connectedWeights(given, "", bias), x, given.context);
    }
  }
}

/** The only matrix and the only vector, whatever their names. */
function sruCase(given: Given): Tensor {
  const activation = given.arguments.oneOf("activation", ["none", "relu", "tanh"], "none");
  const units = given.arguments.number("n_units");
  const [kernel, bias] = [2, 1].map((rank) => given.weightNames().find((name) => given.shapeOf(name).length === rank));
  if (kernel === undefined || bias === undefined) throw new Unsupported("an SRU without its matrix and vector");
  return applyOrStep(sru({ units, activation }), { kernel: given.take(kernel), bias: given.take(bias) }, given);
}

const attentionCase =
  (source: string): Adapter =>
  (given) => {
    const { arguments: options } = given;
    const dModel = options.number("d_feature", dIn(given));
    const heads = options.number("n_heads", 1);
    const { config, weights } = traxAttention(source, options, heads);
    const layer = attentionOf({ dModel, heads, attention: config });
    return applyOrStep(layer, weights(given), given);
  };

function causalFavorCase(given: Given): Tensor {
  const { arguments: options } = given;
  const stabilizer = options.number("numerical_stabilizer", 1e-3);
  const layer = favorAttention({
    dModel: options.number("d_feature"),
    heads: options.number("n_heads", 1),
    stabilizer,
  });
  return applyOrStep(layer, attentionWeights(given), given);
}

/** By Trax's names. */
export const layerAdapters: Readonly<Record<string, Adapter>> = {
  BlockSparseFF: blockSparseCase(blockSparseFeedForward),
  ...Object.fromEntries(attentionNames.map((source) => [source, attentionCase(source)])),
  CausalFavor: causalFavorCase,
  Dense: denseCase,
  FactoredDense: multiplicativeCase,
  FeedForward: feedForwardCase,
  LayerNorm: normCase,
  LocallyConnectedDense: connectedCase,
  LocallyConvDense: convolutionalCase,
  LowRankDense: lowRankCase,
  MultiplicativeModularSparseDense: modularCase,
  PositionalEncoding: positionsCase,
  ReversibleSerial: reversibleSerialCase,
  ShiftRight: (given) =>
    given.mode === "predict" ? given.input() : shiftRight(given.input(), given.arguments.number("n_positions", 1)),
  SparseDenseWithOptions: lossCase,
  SparseFF: sparseFeedForwardCase,
  SRU: sruCase,
  SwitchSparseFF: blockSparseCase(switchFeedForward),
};
