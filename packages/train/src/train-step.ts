import {
  add,
  atOnce,
  concat,
  gradient,
  graph,
  input,
  leaves,
  mapTensors,
  mul,
  reduceSum,
  reshape,
  scalar,
  type Tensor,
  type TensorType,
} from "@finegrain/graph";
import {
  copies,
  evaluation,
  type LanguageModel,
  mapParams,
  openLedger,
  paramTypes,
  type ReadableLedger,
  randomSource,
  type Storage,
  storedProducts,
  traceWeights,
  training,
  type Weights,
} from "@finegrain/nn";
import { clipByGlobalNorm, globalNorm } from "./clip.ts";
import type { BatchSize } from "./data/index.ts";
import { meanSurprise, surprise } from "./objective.ts";
import type { Optimizer } from "./optimizers/index.ts";

/*
 * The graphs of training, all over the same parameters, which have their paths for names. Axes: B batch, T time.
 */

export interface StepConfig extends BatchSize {
  readonly model: LanguageModel;
  readonly optimizer: Optimizer;
  /** Longest gradient of all parameters as one vector; none is cut where it is left out. */
  readonly clipNorm?: number | undefined;
  readonly experts?: SharedExperts | undefined;
}

/** How ranks share the experts of a model out, whose parameters are then those of one of them: see `paramsOfRank`. */
export interface SharedExperts {
  readonly ranks: number;
  /**
   * Whether each rank's tokens go through the experts by themselves, as in one process, and give a gradient of their own: of so many ranks, one
   * behind the other.
   */
  readonly apart: boolean;
}

/** A model's parameters in a graph: as its layers see them, and by path, those apart that are trained and those that stay as they are. */
interface Traced {
  readonly weights: Weights<LanguageModel["params"]>;
  readonly parameters: Readonly<Record<string, Tensor>>;
  readonly frozen: Readonly<Record<string, Tensor>>;
  /** What stands for the parameters where gradients are taken. */
  readonly differentiated: Readonly<Record<string, Tensor>>;
}

function traceParams({ model, experts }: Pick<StepConfig, "model" | "experts">): Traced {
  const { weights, stored } = traceWeights(model.params, "float32");
  const given = byTraining(model, Object.entries(stored));
  if (!experts?.apart) return { weights, ...given, differentiated: given.parameters };
  const apart = weightsApart(model, stored, experts);
  return { weights: apart, ...given, differentiated: byTraining(model, leaves<Tensor>(apart)).parameters };
}

/** Weights of experts as often as there are ranks. */
const weightsApart = (
  { params }: LanguageModel,
  stored: Readonly<Record<string, Tensor>>,
  { ranks }: SharedExperts,
): Weights<LanguageModel["params"]> =>
  mapParams(params, ({ perExpert }, path) => (perExpert ? copies(stored[path]!, ranks) : stored[path]!));

/** Values of a model's parameters by path: of those that are trained, and of those that stay as they are. */
export function byTraining<V>(
  { isTrained = () => true }: LanguageModel,
  values: Iterable<readonly [path: string, value: V]>,
): { readonly parameters: Readonly<Record<string, V>>; readonly frozen: Readonly<Record<string, V>> } {
  const all = [...values];
  return {
    parameters: Object.fromEntries(all.filter(([path]) => isTrained(path))),
    frozen: Object.fromEntries(all.filter(([path]) => !isTrained(path))),
  };
}

/** What {@link byTraining} took apart, by path in the model's order. */
export const inModelOrder = <V>({ params }: LanguageModel, values: Readonly<Record<string, V>>): Map<string, V> =>
  new Map([...paramTypes(params).keys()].map((path) => [path, values[path]!])); // one for every parameter

/** What the optimizer keeps of every parameter, by the parameter's path and the slot's name. */
export type SlotTree<V> = Readonly<Record<string, Readonly<Record<string, V>>>>;

/** Types of the parameters that are trained. */
export const trainedTypes = (model: LanguageModel): ReadonlyMap<string, TensorType> =>
  new Map(Object.entries(byTraining(model, paramTypes(model.params)).parameters));

/** Types of the optimizer's slots for parameters of these types. */
export const slotTypes = (params: ReadonlyMap<string, TensorType>, optimizer: Optimizer): SlotTree<TensorType> =>
  Object.fromEntries([...params].map(([path, type]) => [path, optimizer.slots(type)]));

/** Slots by name, "path.slot", as a checkpoint has them. */
export const namedSlots = <V>(slots: SlotTree<V>): Map<string, V> =>
  new Map(
    Object.entries(slots).flatMap(([path, own]) =>
      Object.entries(own).map(([name, slot]) => [`${path}.${name}`, slot] as const),
    ),
  );

/** A value for every slot. */
export const mapSlots = <V, W>(slots: SlotTree<V>, f: (slot: V, name: string) => W): SlotTree<W> =>
  Object.fromEntries(
    Object.entries(slots).map(([path, own]) => [
      path,
      Object.fromEntries(Object.entries(own).map(([name, slot]) => [name, f(slot, `${path}.${name}`)])),
    ]),
  );

const slotInputs = (params: ReadonlyMap<string, TensorType>, optimizer: Optimizer): SlotTree<Tensor> =>
  mapSlots(slotTypes(params, optimizer), ({ shape, dtype }, name) => input(shape, dtype, name));

const ownSlotInputs = ({ model, optimizer }: StepConfig) => slotInputs(trainedTypes(model), optimizer);

/** Tokens of a row: a source where the model reads one, and of a text one more than there are targets. */
const rowWidth = ({ source }: LanguageModel, length: number): number => (source?.maxLength ?? 0) + length + 1;

/** Inputs that say which batch it is. */
const batchInputs = ({ model, batch, length }: Pick<StepConfig, "model"> & BatchSize) => ({
  tokens: input([batch, rowWidth(model, length)], "int32", "tokens"),
  key: input([2], "int32", "key"),
  counter: input([], "int32", "counter"),
});

/** Inputs that say which step it is. */
const stepInputs = () => ({ step: input([], "int32", "step"), learningRate: input([], "float32", "learning rate") });

/** Mean loss of a batch without auxiliary losses, and the gradients with them, by path. */
function* lossAndGradients(
  { model, experts }: StepConfig,
  { weights, differentiated }: Traced,
  { tokens, key, counter }: ReturnType<typeof batchInputs>,
) {
  const ledger = openLedger();
  const context = { ...training(randomSource(key, counter), ledger), expertRanks: experts?.ranks };
  const loss = meanSurprise(surprise(model, weights, tokens, context));
  yield;
  const total = [...ledger.losses.values()].reduce((a, b) => add(a, b), loss);
  const gradients = gradient(total, differentiated);
  yield;
  return { loss, gradients, metrics: metricOutput(metricsOf(ledger)) };
}

/** What the layers leave beside their outputs, by name: auxiliary losses as "loss.NAME", and metrics. */
function metricsOf({ losses, metrics }: ReadableLedger): ReadonlyMap<string, Tensor> {
  return new Map([...[...losses].map(([name, value]) => [`loss.${name}`, value] as const), ...metrics]);
}

/** The names of a step's metrics, in the order in which the graphs return them. */
export function metricNames(config: Pick<StepConfig, "model"> & BatchSize): string[] {
  const ledger = openLedger();
  const { tokens, key, counter } = batchInputs(config);
  surprise(
    config.model,
    traceParams({ model: config.model }).weights,
    tokens,
    training(randomSource(key, counter), ledger),
  );
  return [...metricsOf(ledger).keys()];
}

/** All metrics as one output, float32 [metrics], so that they are read at once; left out where there are none. */
function metricOutput(metrics: ReadonlyMap<string, Tensor>): { metrics?: Tensor } {
  const values = [...metrics.values()].map((value) => reshape(value, [1]));
  return values.length === 0 ? {} : { metrics: concat(...values, { axis: 0 }) };
}

type StepInputs = ReturnType<typeof stepInputs>;

/** Clipped gradients through the optimizer: parameters and slots after the step, and the gradients' norm before it. */
function updates(
  { optimizer, clipNorm }: StepConfig,
  parameters: Traced["parameters"],
  slots: SlotTree<Tensor>,
  gradients: Readonly<Record<string, Tensor>>,
  now: StepInputs,
) {
  const clipped =
    clipNorm === undefined
      ? { gradients, norm: globalNorm(gradients) }
      : clipByGlobalNorm(gradients, { maxNorm: clipNorm });
  return { norm: clipped.norm, ...moved(optimizer, parameters, slots, clipped.gradients, now) };
}

/** Gradients through the optimizer: parameters and slots after the step. */
function moved(
  optimizer: Optimizer,
  parameters: Traced["parameters"],
  slots: SlotTree<Tensor>,
  gradients: Readonly<Record<string, Tensor>>,
  now: StepInputs,
) {
  const after = Object.entries(parameters).map(([path, param]) => {
    const own = { param, gradient: gradients[path]!, slots: slots[path]! }; // of the same paths
    return [path, optimizer.update({ ...own, ...now })] as const;
  });
  const byPath = new Map(after);
  return {
    parameters: Object.fromEntries(after.map(([path, { param }]) => [path, param])),
    // In the order of the slots before, whatever the optimizer's.
    slots: Object.fromEntries(
      Object.entries(slots).map(([path, own]) => [
        path,
        Object.fromEntries(Object.keys(own).map((name) => [name, byPath.get(path)!.slots[name]!])),
      ]),
    ),
  };
}

/** A whole step: new parameters and slots, and what is read of it. */
export const stepGraph = (config: StepConfig) => atOnce(tracingStep(config));

/** The same, in turns. */
export function* tracingStep(config: StepConfig) {
  const [traced, slots, batch, now] = [traceParams(config), ownSlotInputs(config), batchInputs(config), stepInputs()];
  const { parameters, frozen } = traced;
  const { loss, gradients, metrics } = yield* lossAndGradients(config, traced, batch);
  const { norm, ...after } = updates(config, parameters, slots, gradients, now);
  yield;
  return graph({
    name: "train step",
    inputs: { parameters, frozen, slots, batch, now },
    outputs: { ...after, report: { ...metrics, loss, norm } },
  });
}

/** One micro-batch's gradients, loss and metrics, added to the sums of those before. The sums may be donated. */
export const accumulateGraph = (config: StepConfig) => atOnce(tracingSums(config));

/** The same, in turns. */
export function* tracingSums(config: StepConfig) {
  const [traced, batch] = [traceParams(config), batchInputs(config)];
  const { loss, gradients, metrics } = yield* lossAndGradients(config, traced, batch);
  const terms = { gradients, loss, ...metrics };
  const sums = mapTensors(terms, ({ shape }, path) => input(shape, "float32", `sum of ${path}`));
  const before = new Map(leaves<Tensor>(sums));
  return graph({
    name: "accumulate gradients",
    inputs: { parameters: traced.parameters, frozen: traced.frozen, sums, batch },
    outputs: { sums: mapTensors(terms, (term, path) => add(before.get(path)!, term)) }, // a tree like theirs
  });
}

/** What {@link stepGraph} does with a batch, for the sums over `count` micro-batches. Metrics are not among what is read of it. */
export function updateGraph(config: StepConfig, count: number) {
  const [{ parameters }, slots, now] = [traceParams(config), ownSlotInputs(config), stepInputs()];
  const sums = {
    gradients: mapTensors(parameters, ({ shape }, path) => input(shape, "float32", `sum of ${path}`)),
    loss: input([], "float32", "sum of the loss"),
  };
  const means = mapTensors(sums, (sum) => mul(sum, scalar(1 / count)));
  const { norm, ...after } = updates(config, parameters, slots, means.gradients, now);
  return graph({
    name: "update",
    inputs: { parameters, slots, sums, now },
    outputs: { ...after, report: { loss: means.loss, norm } },
  });
}

/** One micro-batch's gradients, loss and metrics, for a sum that is made elsewhere; in turns. */
export function* tracingGradients(config: StepConfig) {
  const [traced, batch] = [traceParams(config), batchInputs(config)];
  const { loss, gradients, metrics } = yield* lossAndGradients(config, traced, batch);
  return graph({
    name: "gradients",
    inputs: { parameters: traced.parameters, frozen: traced.frozen, batch },
    outputs: { loss, gradients, ...metrics },
  });
}

/**
 * What the optimizer does with parameters, or pieces of them, of these types: `scale`, float32 [], times the `sums` of gradients goes in, and
 * what is `held` of them may be donated.
 */
export function pieceUpdateGraph(optimizer: Optimizer, types: ReadonlyMap<string, TensorType>) {
  const inputs = (what: string) =>
    Object.fromEntries([...types].map(([name, { shape, dtype }]) => [name, input(shape, dtype, `${what} ${name}`)]));
  const [parameters, sums, slots] = [inputs("piece"), inputs("sum"), slotInputs(types, optimizer)];
  const [scale, now] = [input([], "float32", "scale"), stepInputs()];
  const gradients = mapTensors(sums, (sum) => mul(sum, scale));
  return graph({
    name: "update of pieces",
    inputs: { held: { parameters, slots }, sums, scale, now },
    outputs: { held: moved(optimizer, parameters, slots, gradients, now) },
  });
}

/** How the evaluation of a model goes. */
export interface EvaluationConfig extends BatchSize {
  readonly model: LanguageModel;
  /** Every token by itself in routed layers, as they decode, and not in groups with others. Default false. */
  readonly asDecoded?: boolean | undefined;
  /** What the parameters are kept in. Default "float32". */
  readonly storage?: Storage | undefined;
  readonly experts?: SharedExperts | undefined;
}

/** nats and targets, summed over what the mask, float32 [B, T], lets through. The weights are those of `storedTypes`. */
export function evaluationGraph(config: EvaluationConfig) {
  const { model, batch, length, asDecoded = false, storage = "float32", experts } = config;
  const { weights: traced, stored } = traceWeights(model.params, storage);
  const weights = experts?.apart ? weightsApart(model, stored, experts) : traced;
  const [tokens, mask] = [
    input([batch, rowWidth(model, length)], "int32", "tokens"),
    input([batch, length], "float32", "mask"),
  ];
  const { nats, isTarget } = surprise(model, weights, tokens, {
    ...evaluation,
    asDecoded,
    expertRanks: experts?.ranks,
  });
  const counted = isTarget ? mul(isTarget, mask) : mask;
  const every = { axes: [0, 1] };
  const evaluated = graph({
    name: "evaluation",
    inputs: { weights: stored, tokens, mask },
    outputs: { nats: reduceSum(mul(nats, counted), every), targets: reduceSum(counted, every) },
  });
  return storedProducts(evaluated, storage);
}
