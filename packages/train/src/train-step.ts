import {
  add,
  crossEntropy,
  type Graph,
  gradient,
  graph,
  input,
  mean,
  mul,
  reduceSum,
  scalar,
  slice,
  type Tensor,
  type TensorType,
} from "@finegrain/graph";
import {
  type Context,
  evaluation,
  type LanguageModel,
  leaves,
  mapParams,
  paramTypes,
  randomSource,
  type Storage,
  traceWeights,
  training,
  type Weights,
} from "@finegrain/nn";
import { clipByGlobalNorm, globalNorm } from "./clip.ts";
import type { BatchSize } from "./data/index.ts";
import type { Optimizer } from "./optimizers/index.ts";

/*
 * The graphs of training, all over the same parameters in the order of their paths. Axes: B batch, T time.
 */

export interface StepConfig extends BatchSize {
  readonly model: LanguageModel;
  readonly optimizer: Optimizer;
  /** Longest gradient of all parameters as one vector; none is cut where it is left out. */
  readonly clipNorm?: number | undefined;
}

interface Traced {
  readonly w: Weights<LanguageModel["params"]>;
  /** The same tensors, in the order of their paths. */
  readonly list: readonly Tensor[];
}

function traceParams({ params }: LanguageModel): Traced {
  const w = mapParams(params, ({ shape }, path) => input(shape, "float32", path));
  return { w, list: leaves<Tensor>(w).map(([, tensor]) => tensor) };
}

const inputsOf = (types: ReadonlyMap<string, TensorType>): Tensor[] =>
  [...types].map(([name, { shape, dtype }]) => input(shape, dtype, name));

/** Types of the optimizer's slots by name, "path.slot", in the order in which the graphs take them. */
export const slotTypes = ({ model, optimizer }: Pick<StepConfig, "model" | "optimizer">): Map<string, TensorType> =>
  new Map(
    [...paramTypes(model.params)].flatMap(([path, type]) =>
      Object.entries(optimizer.slots(type)).map(([name, slot]) => [`${path}.${name}`, slot] as const),
    ),
  );

/** Negative log-likelihood of every token but the first: int32 [B, T + 1] -> float32 [B, T] nats. */
function tokenNats(model: LanguageModel, w: Traced["w"], tokens: Tensor, context: Context): Tensor {
  const [batch, length] = tokens.shape as [number, number];
  const cut = (start: number) => slice(tokens, { starts: [0, start], ends: [batch, start + length - 1] });
  return crossEntropy(model.logits(w, cut(0), context), cut(1));
}

/** Inputs that say which batch it is. */
interface BatchInputs {
  readonly tokens: Tensor;
  readonly key: Tensor;
  readonly counter: Tensor;
}

const batchInputs = ({ batch, length }: BatchSize): BatchInputs => ({
  tokens: input([batch, length + 1], "int32", "tokens"),
  key: input([2], "int32", "key"),
  counter: input([], "int32", "counter"),
});

/** Mean loss of a batch, and its gradients. */
function lossAndGradients({ model }: StepConfig, { w, list }: Traced, { tokens, key, counter }: BatchInputs) {
  const nats = tokenNats(model, w, tokens, training(randomSource(key, counter)));
  const loss = mean(nats, { axes: [0, 1] });
  return { loss, gradients: gradient(loss, list) };
}

/** Clipped gradients through the optimizer: parameters and slots after the step, and the gradients' norm before it. */
function updates(
  config: StepConfig,
  { list }: Traced,
  slots: readonly Tensor[],
  gradients: readonly Tensor[],
  step: Tensor,
  learningRate: Tensor,
) {
  const { optimizer, clipNorm } = config;
  const clipped =
    clipNorm === undefined
      ? { gradients, norm: globalNorm(gradients) }
      : clipByGlobalNorm(gradients, { maxNorm: clipNorm });
  let next = 0;
  const moved = list.map((param, i) => {
    const own = Object.fromEntries(Object.keys(optimizer.slots(param)).map((name) => [name, slots[next++]!]));
    return optimizer.update({ param, gradient: clipped.gradients[i]!, slots: own, step, learningRate });
  });
  return {
    norm: clipped.norm,
    params: moved.map(({ param }) => param),
    slots: moved.flatMap(({ slots: after }, i) => Object.keys(optimizer.slots(list[i]!)).map((name) => after[name]!)),
  };
}

const stepInputs = () => ({ step: input([], "int32", "step"), learningRate: input([], "float32", "learning rate") });

/** (params, slots, tokens, key, counter, step, learningRate) -> (params, slots, loss, norm). */
export function stepGraph(config: StepConfig): Graph {
  const [traced, slots, batch, { step, learningRate }] = [
    traceParams(config.model),
    inputsOf(slotTypes(config)),
    batchInputs(config),
    stepInputs(),
  ];
  const { loss, gradients } = lossAndGradients(config, traced, batch);
  const after = updates(config, traced, slots, gradients, step, learningRate);
  return graph({
    name: "train step",
    inputs: [...traced.list, ...slots, batch.tokens, batch.key, batch.counter, step, learningRate],
    outputs: [...after.params, ...after.slots, loss, after.norm],
  });
}

/** (params, sums, lossSum, tokens, key, counter) -> (sums, lossSum): one micro-batch's gradients, added up. */
export function accumulateGraph(config: StepConfig): Graph {
  const [traced, batch, lossSum] = [traceParams(config.model), batchInputs(config), input([], "float32", "loss sum")];
  const sums = traced.list.map(({ shape }) => input(shape, "float32", "gradient sum"));
  const { loss, gradients } = lossAndGradients(config, traced, batch);
  return graph({
    name: "accumulate gradients",
    inputs: [...traced.list, ...sums, lossSum, batch.tokens, batch.key, batch.counter],
    outputs: [...sums.map((sum, i) => add(sum, gradients[i]!)), add(lossSum, loss)],
  });
}

/** (params, slots, sums, lossSum, step, learningRate) -> (params, slots, loss, norm) for sums over `count` micro-batches. */
export function updateGraph(config: StepConfig, count: number): Graph {
  const [traced, slots, { step, learningRate }] = [
    traceParams(config.model),
    inputsOf(slotTypes(config)),
    stepInputs(),
  ];
  const [sums, lossSum] = [
    traced.list.map(({ shape }) => input(shape, "float32", "gradient sum")),
    input([], "float32", "loss sum"),
  ];
  const share = scalar(1 / count);
  const after = updates(
    config,
    traced,
    slots,
    sums.map((sum) => mul(sum, share)),
    step,
    learningRate,
  );
  return graph({
    name: "update",
    inputs: [...traced.list, ...slots, ...sums, lossSum, step, learningRate],
    outputs: [...after.params, ...after.slots, mul(lossSum, share), after.norm],
  });
}

export interface EvaluationConfig extends BatchSize {
  readonly model: LanguageModel;
  /** What the parameters are kept in. Default "float32". */
  readonly storage?: Storage | undefined;
}

/** (params as they are stored, tokens, mask float32 [B, T]) -> nats, summed over the targets that the mask lets through. */
export function evaluationGraph({ model, batch, length, storage = "float32" }: EvaluationConfig): Graph {
  const { weights, inputs } = traceWeights(model.params, storage);
  const [tokens, mask] = [input([batch, length + 1], "int32", "tokens"), input([batch, length], "float32", "mask")];
  const nats = reduceSum(mul(tokenNats(model, weights, tokens, evaluation), mask), { axes: [0, 1] });
  return graph({ name: "evaluation", inputs: [...inputs, tokens, mask], outputs: [nats] });
}
