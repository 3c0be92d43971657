import {
  type Backend,
  type Buffer,
  type Executable,
  FinegrainError,
  type HostTensor,
  hostTensor,
  type Shape,
  type TensorType,
  zeroTensor,
} from "@finegrain/graph";
import { initialize, matchTensors, paramTypes, seedKey } from "@finegrain/nn";
import type { HeldOutBatch } from "./data/index.ts";
import { createEvaluator, type Evaluator } from "./evaluator.ts";
import { accumulateGraph, metricNames, type StepConfig, slotTypes, stepGraph, updateGraph } from "./train-step.ts";

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
  /** Negative log-likelihood of held-out targets, in nats, summed. */
  evaluate(batches: Iterable<HeldOutBatch>): Promise<{ readonly nats: number; readonly tokens: number }>;
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
  const params = paramTypes(model.params);
  const slots = slotTypes(options);
  const weights = options.weights ?? initialize(model.params, seed);
  matchTensors(weights, params, "the set of weights");
  if (state) matchTensors(state.slots, slots, "the optimizer's state");
  checkOptions(options);
  return new ModelTrainer(options, accumulate, {
    params: [...params.keys()].map((path) => backend.upload(weights.get(path)!)),
    slots: [...slots].map(([name, type]) => backend.upload(state?.slots.get(name) ?? zeroTensor(type))),
  });
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
const dispose = (buffers: Iterable<Buffer>): void => {
  for (const buffer of buffers) buffer[Symbol.dispose]();
};

interface Held {
  readonly params: readonly Buffer[];
  readonly slots: readonly Buffer[];
}

/** What a step's graphs made: parameters, slots, loss and norm; sums of the metrics over its micro-batches. */
interface Stepped {
  readonly outputs: readonly Buffer[];
  readonly metrics: readonly Buffer[];
}

class ModelTrainer implements Trainer {
  readonly #options: TrainerOptions;
  readonly #accumulate: number;
  readonly #metricNames: readonly string[];
  readonly #executables = new Map<string, Promise<Executable>>();
  readonly #evaluator: Evaluator;
  #held: Held;
  #step: number;

  constructor(options: TrainerOptions, accumulate: number, held: Held) {
    this.#options = options;
    this.#accumulate = accumulate;
    this.#metricNames = metricNames(options);
    this.#evaluator = createEvaluator({ backend: options.backend, model: options.model });
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
    const { outputs, metrics } = await (this.#accumulate === 1
      ? this.#whole(batches[0]!, learningRate)
      : this.#inParts(batches, learningRate));
    const [loss, gradientNorm, ...found] = await this.#take(outputs, metrics, learningRate);
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

  /**
   * Keep what a step made, unless it is not finite: until then the state before it is still there, and not donated.
   * @returns the loss, the norm and the metrics.
   */
  async #take(
    outputs: readonly Buffer[],
    metrics: readonly Buffer[],
    learningRate: number,
  ): Promise<[number, number, ...number[]]> {
    const { params, slots } = this.#held;
    const read = await Promise.all(
      [...outputs.slice(-2), ...metrics].map(async (buffer) => [...(await buffer.read()).data]),
    );
    const [loss, norm, ...found] = read.flat() as [number, number, ...number[]]; // each of the first two is one number
    if (!Number.isFinite(loss) || !Number.isFinite(norm)) {
      dispose([...outputs, ...metrics]);
      throw new FinegrainError(
        `the loss of step ${this.#step} is ${loss} and its gradient's norm ${norm}, at a learning rate of ${learningRate}: the weights are left as they were before the step`,
      );
    }
    dispose([...params, ...slots, ...outputs.slice(-2), ...metrics]);
    this.#held = { params: outputs.slice(0, params.length), slots: outputs.slice(params.length, -2) };
    return [loss, norm, ...found];
  }

  async #whole(tokens: HostTensor, learningRate: number): Promise<Stepped> {
    const executable = await this.#compiled("step", () => this.#options.backend.compile(stepGraph(this.#options)));
    const { params, slots } = this.#held;
    const outputs = this.#with([...this.#batchInputs(tokens, this.#step), ...this.#stepInputs(learningRate)], (given) =>
      executable.run([...params, ...slots, ...given]),
    );
    const metrics = outputs.splice(params.length + slots.length, this.#metricOutputs);
    return { outputs, metrics };
  }

  /** All metrics are one output, where there are any. */
  get #metricOutputs(): 0 | 1 {
    return this.#metricNames.length > 0 ? 1 : 0;
  }

  async #inParts(batches: readonly HostTensor[], learningRate: number): Promise<Stepped> {
    const { backend } = this.#options;
    const { params, slots } = this.#held;
    const float = (shape: Shape): TensorType => ({ dtype: "float32", shape });
    const types = [...params.map(({ type }) => type), float([]), float([this.#metricNames.length])];
    const summed = types.slice(0, params.length + 1 + this.#metricOutputs);
    const donate = summed.map((_, i) => [params.length + i, i] as const);
    const accumulate = await this.#compiled("accumulate", () =>
      backend.compile(accumulateGraph(this.#options), { donate }),
    );
    const update = await this.#compiled("update", () => backend.compile(updateGraph(this.#options, batches.length)));
    let sums = summed.map((type) => backend.upload(zeroTensor(type)));
    for (const [micro, tokens] of batches.entries()) {
      const counter = this.#step * batches.length + micro;
      sums = this.#with(this.#batchInputs(tokens, counter), (given) => accumulate.run([...params, ...sums, ...given]));
    }
    const metrics = sums.splice(params.length + 1);
    const outputs = this.#with(this.#stepInputs(learningRate), (given) =>
      update.run([...params, ...slots, ...sums, ...given]),
    );
    dispose(sums);
    return { outputs, metrics };
  }

  #batchInputs(tokens: HostTensor, counter: number): HostTensor[] {
    return [tokens, int32(...seedKey(this.#options.seed)), scalarOf(int32(counter))];
  }

  #stepInputs(learningRate: number): HostTensor[] {
    return [scalarOf(int32(this.#step)), hostTensor("float32", [], [learningRate])];
  }

  /** Upload small inputs for one run, and free them behind it. */
  #with(values: readonly HostTensor[], run: (given: Buffer[]) => Buffer[]): Buffer[] {
    const given = values.map((value) => this.#options.backend.upload(value));
    const outputs = run(given);
    dispose(given);
    return outputs;
  }

  #compiled(name: string, compile: () => Promise<Executable>): Promise<Executable> {
    const known = this.#executables.get(name) ?? compile();
    this.#executables.set(name, known);
    return known;
  }

  evaluate(batches: Iterable<HeldOutBatch>): Promise<{ nats: number; tokens: number }> {
    return this.#evaluator.evaluate(this.buffers(), batches);
  }

  buffers(): Map<string, Buffer> {
    return new Map([...paramTypes(this.#options.model.params).keys()].map((path, i) => [path, this.#held.params[i]!]));
  }

  async weights(): Promise<Map<string, HostTensor>> {
    return readAll(this.buffers());
  }

  async state(): Promise<TrainerState> {
    const slots = new Map([...slotTypes(this.#options).keys()].map((name, i) => [name, this.#held.slots[i]!]));
    return { slots: await readAll(slots), step: this.#step, seed: this.#options.seed };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    dispose([...this.#held.params, ...this.#held.slots]);
    await this.#evaluator[Symbol.asyncDispose]();
    for (const executable of this.#executables.values()) (await executable.catch(() => undefined))?.[Symbol.dispose]();
  }
}

/** Embedding a token that has no row is undefined behaviour: not to be left to the backend. */
function checkTokens(tokens: HostTensor["data"], vocabulary: number): void {
  for (const token of tokens)
    if (token < 0 || token >= vocabulary)
      throw new FinegrainError(`token ${token} is outside the model's vocabulary of ${vocabulary}`);
}

async function readAll(buffers: ReadonlyMap<string, Buffer>): Promise<Map<string, HostTensor>> {
  return new Map(await Promise.all([...buffers].map(async ([name, buffer]) => [name, await buffer.read()] as const)));
}
