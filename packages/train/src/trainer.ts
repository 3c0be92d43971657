import {
  type Backend,
  type Buffer,
  type Compiled,
  disposeTree,
  FinegrainError,
  type HostTensor,
  hostTensor,
  inTurns,
  Once,
  type Shape,
  type StopSignal,
  type TensorType,
  type Turns,
  zeroTensor,
} from "@finegrain/graph";
import { initializing, matchTensors, paramTypes, seedKey, uploadingWeights } from "@finegrain/nn";
import type { HeldOutBatch } from "./data/index.ts";
import { createEvaluator, type Evaluator } from "./evaluator.ts";
import {
  type accumulateGraph,
  byTraining,
  mapSlots,
  metricNames,
  namedSlots,
  type SlotTree,
  type StepConfig,
  slotTypes,
  type stepGraph,
  tracingStep,
  tracingSums,
  updateGraph,
} from "./train-step.ts";

export interface TrainerOptions extends StepConfig {
  readonly backend: Backend;
  /** Learning rate of each step, counted from 0. */
  readonly schedule: (step: number) => number;
  /** Micro-batches whose gradients make one step. Default 1. */
  readonly accumulate?: number;
  /** Of the first weights and of all noise: a whole number of up to 53 bits. */
  readonly seed: number;
  /** Default: first values from the seed. */
  readonly weights?: ReadonlyMap<string, HostTensor>;
  /** Where an earlier trainer stopped. Default: step 0, slots of zeros. */
  readonly state?: TrainerState;
}

/** What a run needs besides weights to go on as if it had not stopped. */
export interface TrainerState {
  readonly slots: ReadonlyMap<string, HostTensor>;
  readonly step: number;
  readonly seed: number;
}

export interface StepReport {
  /** Number of the step, counted from 0. */
  readonly step: number;
  /** Mean over the step's targets, in nats, without auxiliary losses. */
  readonly loss: number;
  /**
   * What the layers say of the step, by name: auxiliary losses as `loss.NAME`, weighted and summed over the layers, and metrics,
   * averaged over the layers and micro-batches.
   */
  readonly metrics: Readonly<Record<string, number>>;
  /** Length of all gradients as one vector, before clipping. */
  readonly gradientNorm: number;
  readonly learningRate: number;
  readonly tokens: number;
  readonly milliseconds: number;
}

/** A model on a backend, one optimizer step at a time. */
export interface Trainer extends AsyncDisposable {
  /** Steps done. */
  readonly step: number;
  /**
   * One optimizer step on `accumulate` micro-batches, each int32 [batch, length + 1].
   * @throws FinegrainError where a token is outside the vocabulary, or the loss, the gradient or the learning rate is not
   *   finite; weights and slots are then those before the step.
   */
  run(batches: readonly HostTensor[]): Promise<StepReport>;
  /**
   * Negative log-likelihood of held-out targets, in nats, summed.
   * @param signal an abort ends it at once, with the signal's reason as the error.
   */
  evaluate(
    batches: Iterable<HeldOutBatch>,
    signal?: StopSignal,
  ): Promise<{ readonly nats: number; readonly tokens: number }>;
  weights(): Promise<Map<string, HostTensor>>;
  state(): Promise<TrainerState>;
  /** The weights on the device, as they are until the next step. */
  buffers(): Map<string, Buffer>;
}

/**
 * Put a model on a backend for training.
 * @throws FinegrainError where given weights or slots are not those of the model and optimizer, the state is of another seed,
 *   or a number cannot be.
 */
export async function createTrainer(options: TrainerOptions): Promise<Trainer> {
  const { backend, model, seed, accumulate = 1, state } = options;
  checkOptions(options);
  const slots = slotTypes(options);
  const weights = options.weights ?? (await inTurns(initializing(model.params, seed)));
  matchTensors(weights, paramTypes(model.params), "the set of weights");
  if (state) matchTensors(state.slots, namedSlots(slots), "the optimizer's state");
  const { parameters, frozen } = byTraining(model, await inTurns(uploadingWeights(backend, model, weights, "float32")));
  return new ModelTrainer(options, accumulate, frozen, {
    parameters,
    slots: await inTurns(uploadingSlots(backend, slots, state)),
  });
}

function* uploadingSlots(
  backend: Backend,
  slots: SlotTree<TensorType>,
  state: TrainerState | undefined,
): Turns<SlotTree<Buffer>> {
  const buffers = new Map<string, Buffer>();
  for (const [name, type] of namedSlots(slots)) {
    buffers.set(name, backend.upload(state?.slots.get(name) ?? zeroTensor(type)));
    yield;
  }
  return mapSlots(slots, (_, name) => buffers.get(name)!); // of the same names
}

function checkOptions({ accumulate = 1, clipNorm, seed, state }: TrainerOptions): void {
  if (!Number.isInteger(accumulate) || accumulate < 1)
    throw new FinegrainError(`accumulate must be a whole number of at least 1, not ${accumulate}`);
  if (clipNorm !== undefined && !(clipNorm > 0))
    throw new FinegrainError(`the norm to clip gradients at must be greater than 0, not ${clipNorm}`);
  if (state && state.seed !== seed)
    throw new FinegrainError(`the state is of a run with seed ${state.seed}, which cannot go on with seed ${seed}`);
}

const int32 = (...values: number[]): HostTensor => hostTensor("int32", [values.length], Int32Array.from(values));
const scalarOf = (value: HostTensor): HostTensor => ({ ...value, shape: [] });

/** The state of a run that changes from step to step, on the device. */
interface Held {
  readonly parameters: Readonly<Record<string, Buffer>>;
  readonly slots: SlotTree<Buffer>;
}

/** What a step's graphs made. The metrics are sums over its micro-batches, and left out where there are none. */
interface Stepped extends Held {
  readonly report: { readonly loss: Buffer; readonly norm: Buffer; readonly metrics?: Buffer };
}

/** What is compiled once it is needed. */
class Lazy<E extends Disposable> {
  readonly #compile: () => Promise<E>;
  readonly #once = new Once<undefined, E>();

  constructor(compile: () => Promise<E>) {
    this.#compile = compile;
  }

  get(): Promise<E> {
    return this.#once.get(undefined, this.#compile);
  }

  async dispose(): Promise<void> {
    for (const compiled of await this.#once.clear()) compiled[Symbol.dispose]();
  }
}

class ModelTrainer implements Trainer {
  readonly #options: TrainerOptions;
  readonly #accumulate: number;
  readonly #metricNames: readonly string[];
  readonly #whole: Lazy<Compiled<ReturnType<typeof stepGraph>>>;
  readonly #sum: Lazy<Compiled<ReturnType<typeof accumulateGraph>>>;
  readonly #update: Lazy<Compiled<ReturnType<typeof updateGraph>>>;
  readonly #evaluator: Evaluator;
  /** Parameters that are not trained. */
  readonly #frozen: Readonly<Record<string, Buffer>>;
  #held: Held;
  #step: number;

  constructor(options: TrainerOptions, accumulate: number, frozen: Readonly<Record<string, Buffer>>, held: Held) {
    this.#options = options;
    this.#accumulate = accumulate;
    this.#metricNames = metricNames(options);
    const { backend, model } = options;
    this.#whole = new Lazy(async () => backend.compile(await inTurns(tracingStep(options))));
    this.#sum = new Lazy(async () => backend.compile(await inTurns(tracingSums(options)), { donate: ["sums"] }));
    this.#update = new Lazy(() => backend.compile(updateGraph(options, accumulate)));
    this.#evaluator = createEvaluator({ backend, model });
    this.#frozen = frozen;
    this.#held = held;
    this.#step = options.state?.step ?? 0;
  }

  get step(): number {
    return this.#step;
  }

  async run(batches: readonly HostTensor[]): Promise<StepReport> {
    if (batches.length !== this.#accumulate)
      throw new FinegrainError(`a step takes ${this.#accumulate} micro-batches, not ${batches.length}`);
    const { schedule, batch, length, model } = this.#options;
    for (const { data } of batches) checkTokens(data, model.config.vocabulary);
    const learningRate = schedule(this.#step);
    // The graph takes it as float32, in which a finite number may be infinite.
    if (!Number.isFinite(Math.fround(learningRate)))
      throw new FinegrainError(`the learning rate of step ${this.#step} is ${learningRate}`);
    const started = performance.now();
    const stepped = await (this.#accumulate === 1
      ? this.#inOne(batches[0]!, learningRate)
      : this.#inParts(batches, learningRate));
    const { loss, norm: gradientNorm, metrics: found } = await this.#take(stepped, learningRate);
    const milliseconds = performance.now() - started;
    return {
      step: this.#step++,
      loss,
      gradientNorm,
      metrics: Object.fromEntries(this.#metricNames.map((name, i) => [name, found[i]! / batches.length])),
      learningRate,
      tokens: batches.length * batch * length,
      milliseconds,
    };
  }

  /** Keep what a step made, unless it is not finite: until then the state before it is still there, and not donated. */
  async #take({ report, ...after }: Stepped, learningRate: number) {
    const [loss, norm, metrics = []] = await Promise.all([
      numberOf(report.loss),
      numberOf(report.norm),
      report.metrics?.read().then(({ data }) => [...data]),
    ]);
    disposeTree({ ...report });
    const isUsable = Number.isFinite(loss) && Number.isFinite(norm);
    disposeTree(isUsable ? { ...this.#held } : { ...after });
    if (!isUsable)
      throw new FinegrainError(
        `the loss of step ${this.#step} is ${loss} and its gradient's norm ${norm}, at a learning rate of ${learningRate}: the weights are left as they were before the step`,
      );
    this.#held = after;
    return { loss, norm, metrics };
  }

  async #inOne(tokens: HostTensor, learningRate: number): Promise<Stepped> {
    const executable = await this.#whole.get();
    const given = { batch: this.#batch(tokens, this.#step), now: this.#now(learningRate) };
    const stepped = executable.run({ ...this.#held, frozen: this.#frozen, ...given });
    disposeTree(given);
    return stepped;
  }

  async #inParts(batches: readonly HostTensor[], learningRate: number): Promise<Stepped> {
    const [accumulate, update] = [await this.#sum.get(), await this.#update.get()];
    const { parameters } = this.#held;
    let sums = this.#zeroSums();
    for (const [micro, tokens] of batches.entries()) {
      const batch = this.#batch(tokens, this.#step * batches.length + micro);
      ({ sums } = accumulate.run({ parameters, frozen: this.#frozen, sums, batch }));
      disposeTree(batch);
    }
    const { metrics, ...summed } = sums;
    const now = this.#now(learningRate);
    const { report, ...after } = update.run({ ...this.#held, sums: summed, now });
    disposeTree([summed, now]);
    return { ...after, report: { ...report, ...(metrics && { metrics }) } };
  }

  /** What the first of a step's micro-batches is added to. */
  #zeroSums() {
    const zeros = (shape: Shape): Buffer => this.#options.backend.upload(zeroTensor({ dtype: "float32", shape }));
    const metrics = this.#metricNames.length;
    return {
      gradients: Object.fromEntries(
        Object.entries(this.#held.parameters).map(([path, { type }]) => [path, zeros(type.shape)]),
      ),
      loss: zeros([]),
      ...(metrics > 0 && { metrics: zeros([metrics]) }),
    };
  }

  #batch(tokens: HostTensor, counter: number) {
    const { backend, seed } = this.#options;
    return {
      tokens: backend.upload(tokens),
      key: backend.upload(int32(...seedKey(seed))),
      counter: backend.upload(scalarOf(int32(counter))),
    };
  }

  #now(learningRate: number) {
    const { backend } = this.#options;
    return {
      step: backend.upload(scalarOf(int32(this.#step))),
      learningRate: backend.upload(hostTensor("float32", [], [learningRate])),
    };
  }

  evaluate(batches: Iterable<HeldOutBatch>, signal?: StopSignal): Promise<{ nats: number; tokens: number }> {
    return this.#evaluator.evaluate(this.buffers(), batches, signal);
  }

  buffers(): Map<string, Buffer> {
    const held = { ...this.#frozen, ...this.#held.parameters };
    return new Map([...paramTypes(this.#options.model.params).keys()].map((path) => [path, held[path]!]));
  }

  async weights(): Promise<Map<string, HostTensor>> {
    return readAll(this.buffers());
  }

  async state(): Promise<TrainerState> {
    return { slots: await readAll(namedSlots(this.#held.slots)), step: this.#step, seed: this.#options.seed };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    disposeTree({ ...this.#held, frozen: this.#frozen });
    await this.#evaluator[Symbol.asyncDispose]();
    for (const lazy of [this.#whole, this.#sum, this.#update]) await lazy.dispose();
  }
}

const numberOf = async (buffer: Buffer): Promise<number> => (await buffer.read()).data[0]!;

/** Embedding a token that has no row is undefined behaviour: not to be left to the backend. */
function checkTokens(tokens: HostTensor["data"], vocabulary: number): void {
  for (const token of tokens)
    if (token < 0 || token >= vocabulary)
      throw new FinegrainError(`token ${token} is outside the model's vocabulary of ${vocabulary}`);
}

async function readAll(buffers: ReadonlyMap<string, Buffer>): Promise<Map<string, HostTensor>> {
  return new Map(await Promise.all([...buffers].map(async ([name, buffer]) => [name, await buffer.read()] as const)));
}
