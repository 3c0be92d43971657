import { alone, expectAlike } from "@finegrain/distributed";
import {
  type Backend,
  type Buffer,
  type Compiled,
  disposeTree,
  FinegrainError,
  type HostTensor,
  inTurns,
  type Shape,
  type StopSignal,
  type TensorType,
  type Turns,
  zeroTensor,
} from "@finegrain/graph";
import { initializing, matchTensors, paramTypes, uploadingWeights } from "@finegrain/nn";
import type { HeldOutBatch } from "./data/index.ts";
import { type Share, shareOf } from "./distributed/share.ts";
import { expertSharing, modelOfRank, weightsOfRank } from "./distributed/shared-experts.ts";
import { SharedTrainer } from "./distributed/shared-trainer.ts";
import { createEvaluator, type Evaluator } from "./evaluator.ts";
import { Lazy } from "./lazy.ts";
import { checkBatches, notFinite, rateOf, readAll, uploadBatch, uploadNow } from "./step-input.ts";
import {
  type accumulateGraph,
  byTraining,
  inModelOrder,
  mapSlots,
  metricNames,
  namedSlots,
  type SlotTree,
  slotTypes,
  type stepGraph,
  tracingStep,
  tracingSums,
  trainedTypes,
  updateGraph,
} from "./train-step.ts";
import type { PreparedOptions, StepReport, Trainer, TrainerOptions, TrainerState } from "./training.ts";

/**
 * Put a model on a backend for training.
 * @throws FinegrainError where given weights or slots are not those of the model and optimizer, the state is of another seed,
 *   there are more ranks than micro-batches, experts cannot be shared out, or a number cannot be; RanksDiffer on all ranks where one is given
 *   another model, optimizer (by its name), size, seed, step or way to share than rank 0.
 */
export async function createTrainer(options: TrainerOptions): Promise<Trainer> {
  const { backend, model, optimizer, seed, accumulate = 1, state, weights: given, ...rest } = options;
  const { communicator = alone(), deterministic = false, expertParallel = false } = options;
  const { batch, length, clipNorm } = options;
  expectAlike(communicator, {
    ...{ model: model.config, optimizer: optimizer.name, batch, length, accumulate, clipNorm, seed },
    ...{ deterministic, expertParallel, step: state?.step ?? 0 },
  });
  checkOptions(options);
  const share = shareOf(accumulate, communicator);
  const experts = expertSharing(options, communicator, { accumulate, deterministic });
  const own = modelOfRank({ model, experts });
  const slots = slotTypes(trainedTypes(model), optimizer);
  const weights = given ?? (await inTurns(initializing(model.params, seed)));
  matchTensors(weights, paramTypes(model.params), "the set of weights");
  if (state) matchTensors(state.slots, namedSlots(slots), "the optimizer's state");
  const prepared: PreparedOptions = {
    ...rest,
    ...{ backend, model, optimizer, seed, accumulate, communicator, deterministic, share, experts },
  };
  const uploaded = uploadingWeights(backend, own, weightsOfRank(prepared, communicator, weights), "float32");
  const { parameters, frozen } = byTraining(own, await inTurns(uploaded));
  if (communicator.size > 1 || deterministic)
    return new SharedTrainer(prepared, { weights, state }, frozen, parameters);
  const held = { parameters, slots: await inTurns(uploadingSlots(backend, slots, state)) };
  return new ModelTrainer(prepared, frozen, held, state?.step ?? 0);
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

/** The state of a run that changes from step to step, on the device. */
interface Held {
  readonly parameters: Readonly<Record<string, Buffer>>;
  readonly slots: SlotTree<Buffer>;
}

/** What a step's graphs made. The metrics are sums over its micro-batches, and left out where there are none. */
interface Stepped extends Held {
  readonly report: { readonly loss: Buffer; readonly norm: Buffer; readonly metrics?: Buffer };
}

class ModelTrainer implements Trainer {
  readonly share: Share;
  readonly #options: PreparedOptions;
  readonly #metricNames: readonly string[];
  readonly #whole: Lazy<Compiled<ReturnType<typeof stepGraph>>>;
  readonly #sum: Lazy<Compiled<ReturnType<typeof accumulateGraph>>>;
  readonly #update: Lazy<Compiled<ReturnType<typeof updateGraph>>>;
  readonly #evaluator: Evaluator;
  /** Parameters that are not trained. */
  readonly #frozen: Readonly<Record<string, Buffer>>;
  #held: Held;
  #step: number;

  constructor(options: PreparedOptions, frozen: Readonly<Record<string, Buffer>>, held: Held, step: number) {
    this.#options = options;
    this.share = options.share;
    this.#metricNames = metricNames(options);
    const { backend, model, accumulate } = options;
    this.#whole = new Lazy(async () => backend.compile(await inTurns(tracingStep(options))));
    this.#sum = new Lazy(async () => backend.compile(await inTurns(tracingSums(options)), { donate: ["sums"] }));
    this.#update = new Lazy(() => backend.compile(updateGraph(options, accumulate)));
    this.#evaluator = createEvaluator({ backend, model });
    this.#frozen = frozen;
    this.#held = held;
    this.#step = step;
  }

  get step(): number {
    return this.#step;
  }

  async run(batches: readonly HostTensor[]): Promise<StepReport> {
    const { batch, length } = this.#options;
    checkBatches(batches, this.#options);
    const learningRate = rateOf(this.#options, this.#step);
    const started = performance.now();
    const stepped = await (this.#options.accumulate === 1
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
    if (!isUsable) throw notFinite({ step: this.#step, loss, norm, learningRate });
    this.#held = after;
    return { loss, norm, metrics };
  }

  async #inOne(tokens: HostTensor, learningRate: number): Promise<Stepped> {
    const executable = await this.#whole.get();
    const given = {
      batch: uploadBatch(this.#options, tokens, this.#step),
      now: uploadNow(this.#options, this.#step, learningRate),
    };
    const stepped = executable.run({ ...this.#held, frozen: this.#frozen, ...given });
    disposeTree(given);
    return stepped;
  }

  async #inParts(batches: readonly HostTensor[], learningRate: number): Promise<Stepped> {
    const [accumulate, update] = [await this.#sum.get(), await this.#update.get()];
    const { parameters } = this.#held;
    let sums = this.#zeroSums();
    for (const [micro, tokens] of batches.entries()) {
      const batch = uploadBatch(this.#options, tokens, this.#step * batches.length + micro);
      ({ sums } = accumulate.run({ parameters, frozen: this.#frozen, sums, batch }));
      disposeTree(batch);
    }
    const { metrics, ...summed } = sums;
    const now = uploadNow(this.#options, this.#step, learningRate);
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

  evaluate(batches: Iterable<HeldOutBatch>, signal?: StopSignal): Promise<{ nats: number; tokens: number }> {
    return this.#evaluator.evaluate(this.buffers(), batches, signal);
  }

  buffers(): Map<string, Buffer> {
    return inModelOrder(this.#options.model, { ...this.#frozen, ...this.#held.parameters });
  }

  slots(): Map<string, Buffer> {
    return namedSlots(this.#held.slots);
  }

  async weights(): Promise<Map<string, HostTensor>> {
    return readAll(this.buffers());
  }

  async state(): Promise<TrainerState> {
    return { slots: await readAll(this.slots()), step: this.#step, seed: this.#options.seed };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    disposeTree({ ...this.#held, frozen: this.#frozen });
    await this.#evaluator[Symbol.asyncDispose]();
    for (const lazy of [this.#whole, this.#sum, this.#update]) await lazy.dispose();
  }
}

const numberOf = async (buffer: Buffer): Promise<number> => (await buffer.read()).data[0]!;
