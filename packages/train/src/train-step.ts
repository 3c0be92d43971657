import {
  add,
  concat,
  type Graph,
  gradient,
  graph,
  input,
  mul,
  reduceSum,
  reshape,
  scalar,
  type Tensor,
  type TensorType,
} from "@finegrain/graph";
import {
  evaluation,
  type LanguageModel,
  openLedger,
  paramTypes,
  type ReadableLedger,
  randomSource,
  type Storage,
  traceWeights,
  training,
  type Weights,
} from "@finegrain/nn";
import { clipByGlobalNorm, globalNorm } from "./clip.ts";
import type { BatchSize } from "./data/index.ts";
import { meanSurprise, surprise } from "./objective.ts";
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
  const { weights: w, inputs: list } = traceWeights(params, "float32");
  return { w, list };
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

/** Mean loss of a batch without auxiliary losses, and the gradients with them. */
function lossAndGradients({ model }: StepConfig, { w, list }: Traced, { tokens, key, counter }: BatchInputs) {
  const ledger = openLedger();
  const loss = meanSurprise(surprise(model, w, tokens, training(randomSource(key, counter), ledger)));
  const total = [...ledger.losses.values()].reduce((a, b) => add(a, b), loss);
  return { loss, gradients: gradient(total, list), metrics: metricsOf(ledger) };
}

/** What the layers leave beside their outputs, by name: auxiliary losses as "loss.NAME", and metrics. */
function metricsOf({ losses, metrics }: ReadableLedger): ReadonlyMap<string, Tensor> {
  return new Map([...[...losses].map(([name, value]) => [`loss.${name}`, value] as const), ...metrics]);
}

/** The names of a step's metrics, in the order in which the graphs return them. */
export function metricNames(config: Pick<StepConfig, "model"> & BatchSize): string[] {
  const ledger = openLedger();
  const { tokens, key, counter } = batchInputs(config);
  surprise(config.model, traceParams(config.model).w, tokens, training(randomSource(key, counter), ledger));
  return [...metricsOf(ledger).keys()];
}

/** Metrics as one output, float32 [metrics]; none where there are none. */
function metricOutput(metrics: ReadonlyMap<string, Tensor>): Tensor[] {
  const values = [...metrics.values()].map((value) => reshape(value, [1]));
  return values.length === 0 ? [] : [concat(...values, { axis: 0 })];
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

/** (params, slots, tokens, key, counter, step, learningRate) -> (params, slots, metrics where there are any, loss, norm). */
export function stepGraph(config: StepConfig): Graph {
  const [traced, slots, batch, { step, learningRate }] = [
    traceParams(config.model),
    inputsOf(slotTypes(config)),
    batchInputs(config),
    stepInputs(),
  ];
  const { loss, gradients, metrics } = lossAndGradients(config, traced, batch);
  const after = updates(config, traced, slots, gradients, step, learningRate);
  return graph({
    name: "train step",
    inputs: [...traced.list, ...slots, batch.tokens, batch.key, batch.counter, step, learningRate],
    outputs: [...after.params, ...after.slots, ...metricOutput(metrics), loss, after.norm],
  });
}

/**
 * One micro-batch's gradients, loss and metrics, added up:
 * (params, sums, lossSum, metricSums, tokens, key, counter) -> (sums, lossSum, metricSums), without metrics where there are none.
 */
export function accumulateGraph(config: StepConfig): Graph {
  const [traced, batch] = [traceParams(config.model), batchInputs(config)];
  const { loss, gradients, metrics } = lossAndGradients(config, traced, batch);
  const terms = [...gradients, loss, ...metricOutput(metrics)];
  const sums = terms.map(({ shape }) => input(shape, "float32", "sum"));
  return graph({
    name: "accumulate gradients",
    inputs: [...traced.list, ...sums, batch.tokens, batch.key, batch.counter],
    outputs: sums.map((sum, i) => add(sum, terms[i]!)),
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

/** How the evaluation of a model goes. */
export interface EvaluationConfig extends BatchSize {
  readonly model: LanguageModel;
  /** Every token by itself in routed layers, as they decode, and not in groups with others. Default false. */
  readonly asDecoded?: boolean | undefined;
  /** What the parameters are kept in. Default "float32". */
  readonly storage?: Storage | undefined;
}

/** (params as they are stored, tokens, mask float32 [B, T]) -> (nats, targets), summed over what the mask lets through. */
export function evaluationGraph(config: EvaluationConfig): Graph {
  const { model, batch, length, asDecoded = false, storage = "float32" } = config;
  const { weights, inputs } = traceWeights(model.params, storage);
  const [tokens, mask] = [input([batch, length + 1], "int32", "tokens"), input([batch, length], "float32", "mask")];
  const { nats, isTarget } = surprise(model, weights, tokens, { ...evaluation, asDecoded });
  const counted = isTarget ? mul(isTarget, mask) : mask;
  const every = { axes: [0, 1] };
  return graph({
    name: "evaluation",
    inputs: [...inputs, tokens, mask],
    outputs: [reduceSum(mul(nats, counted), every), reduceSum(counted, every)],
  });
}
