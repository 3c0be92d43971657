import {
  type Buffer,
  type Compiled,
  disposeTree,
  type HostTensor,
  hostTensor,
  inTurns,
  type StopSignal,
  size,
  type TensorType,
} from "@finegrain/graph";
import { TINY } from "../clip.ts";
import type { HeldOutBatch } from "../data/index.ts";
import { createEvaluator, type Evaluator } from "../evaluator.ts";
import { Lazy } from "../lazy.ts";
import { checkBatches, notFinite, rateOf, readAll, uploadBatch, uploadNow, uploadNumber } from "../step-input.ts";
import { inModelOrder, metricNames, pieceUpdateGraph, tracingGradients, trainedTypes } from "../train-step.ts";
import type { PreparedOptions, StepReport, Trainer, TrainerState } from "../training.ts";
import { type GradientSum, gradientSum } from "./gradient-sum.ts";
import { type Shards, shardParameters } from "./shards.ts";
import type { Share } from "./share.ts";
import { gatherSlots, type HeldPieces, pieceTypes, uploadPieces } from "./slots.ts";
import { StepFacts } from "./step-facts.ts";

type GradientGraph = ReturnType<typeof tracingGradients> extends Generator<unknown, infer G> ? G : never;

/**
 * A trainer of several ranks, or of one that computes as they do. Every rank has all parameters, and computes the gradients of its micro-batches;
 * of its own part of the parameters it sums those of all, has the optimizer's state, and makes the update, which the others gather.
 */
export class SharedTrainer implements Trainer {
  readonly share: Share;
  readonly #options: PreparedOptions;
  /** Those that are trained. */
  readonly #params: ReadonlyMap<string, TensorType>;
  readonly #shards: Shards;
  readonly #metricNames: readonly string[];
  readonly #gradients: Lazy<Compiled<GradientGraph>>;
  readonly #update: Lazy<Compiled<ReturnType<typeof pieceUpdateGraph>>>;
  readonly #evaluator: Evaluator;
  readonly #sum: GradientSum;
  readonly #frozen: Readonly<Record<string, Buffer>>;
  /** What the ranks send to each other of updated parameters: this rank's region, and all. */
  readonly #region: Float32Array;
  readonly #all: Float32Array;
  #parameters: Readonly<Record<string, Buffer>>;
  #held: HeldPieces;
  #step: number;
  /** Milliseconds of the step at hand that went into messages. */
  #communication = 0;

  /** The parameters that are not trained, and those that are, on the device: the trainer's from now on. */
  constructor(
    options: PreparedOptions & { readonly weights: ReadonlyMap<string, HostTensor> },
    frozen: Readonly<Record<string, Buffer>>,
    parameters: Readonly<Record<string, Buffer>>,
  ) {
    const { backend, model, optimizer, communicator, state } = options;
    this.#options = options;
    this.share = options.share;
    this.#params = trainedTypes(model);
    this.#shards = shardParameters(this.#params, communicator.size, { whole: optimizer.elementwise !== true });
    this.#metricNames = metricNames(options);
    this.#gradients = new Lazy(async () => backend.compile(await inTurns(tracingGradients(options))));
    const types = pieceTypes(this.#pieces);
    this.#update = new Lazy(() => backend.compile(pieceUpdateGraph(optimizer, types), { donate: ["held"] }));
    this.#evaluator = createEvaluator({ backend, model });
    const { region } = this.#shards;
    this.#sum = gradientSum(communicator, { ...options, region });
    this.#region = new Float32Array(region);
    this.#all = new Float32Array(region * communicator.size);
    this.#frozen = frozen;
    this.#parameters = parameters;
    this.#held = uploadPieces(options, this.#pieces);
    this.#step = state?.step ?? 0;
  }

  get step(): number {
    return this.#step;
  }

  get #pieces() {
    return this.#shards.pieces[this.#options.communicator.rank]!;
  }

  async run(batches: readonly HostTensor[]): Promise<StepReport> {
    const { batch, length, accumulate, communicator, clipNorm } = this.#options;
    checkBatches(batches, this.#options);
    const learningRate = rateOf(this.#options, this.#step);
    const started = performance.now();
    this.#communication = 0;
    const facts = new StepFacts(this.#params, accumulate, this.#metricNames);
    for (const [i, tokens] of batches.entries()) await this.#differentiate(tokens, this.share.start + i, facts);
    const sums = this.#communicate(() => this.#sum.exchange());
    facts.addSquares(this.#pieces, sums);
    this.#communicate(() => communicator.allReduce(facts.numbers));
    const { loss, norm, metrics, unusable } = facts.result();
    if (!Number.isFinite(loss) || !Number.isFinite(norm))
      throw notFinite({ step: this.#step, loss, norm, learningRate, rank: this.#rankOf(unusable) });
    await this.#move(
      sums,
      (clipNorm === undefined ? 1 : Math.min(1, clipNorm / (norm + TINY))) / accumulate,
      learningRate,
    );
    const milliseconds = performance.now() - started;
    return {
      step: this.#step++,
      loss,
      gradientNorm: norm,
      metrics,
      learningRate,
      tokens: accumulate * batch * length,
      milliseconds,
      ...(communicator.size > 1 && { communicationMilliseconds: this.#communication }),
    };
  }

  /** The gradients of one micro-batch. */
  async #differentiate(tokens: HostTensor, micro: number, facts: StepFacts): Promise<void> {
    const { accumulate } = this.#options;
    const executable = await this.#gradients.get();
    const batch = uploadBatch(this.#options, tokens, this.#step * accumulate + micro);
    const found = executable.run({ parameters: this.#parameters, frozen: this.#frozen, batch });
    disposeTree(batch);
    const [loss, metrics, gradients] = await Promise.all([
      found.loss.read(),
      found.metrics?.read(),
      readAll(new Map(Object.entries(found.gradients))),
    ]);
    disposeTree({ ...found });
    facts.addMicro(micro, [loss.data[0]!, ...(metrics?.data ?? [])]);
    this.#sum.add((flat) => this.#lay(gradients, flat));
  }

  /** Every parameter's elements where its pieces are in the regions of all ranks. */
  #lay(tensors: ReadonlyMap<string, HostTensor>, flat: Float32Array): void {
    for (const [rank, pieces] of this.#shards.pieces.entries())
      for (const { path, start, end, offset } of pieces)
        flat.set(
          (tensors.get(path)!.data as Float32Array).subarray(start, end), // as every gradient is
          rank * this.#shards.region + offset,
        );
  }

  /** Update this rank's part of the parameters, and gather the others'. */
  async #move(sums: Float32Array, scale: number, learningRate: number): Promise<void> {
    const { backend, communicator } = this.#options;
    const update = await this.#update.get();
    const given = {
      sums: Object.fromEntries(
        this.#pieces.map(({ name, type, start, end, offset }) => [
          name,
          backend.upload(hostTensor("float32", type.shape, sums.subarray(offset, offset + end - start))),
        ]),
      ),
      scale: uploadNumber(backend, scale),
      now: uploadNow({ backend }, this.#step, learningRate),
    };
    this.#held = update.run({ held: this.#held, ...given }).held;
    disposeTree(given);
    const moved = await readAll(new Map(Object.entries(this.#held.parameters)));
    for (const { name, offset } of this.#pieces) this.#region.set(moved.get(name)!.data, offset);
    this.#communicate(() => communicator.allGather(this.#region, this.#all));
    disposeTree({ ...this.#parameters });
    this.#parameters = this.#uploadGathered();
  }

  #uploadGathered(): Record<string, Buffer> {
    const { backend } = this.#options;
    const { region, pieces } = this.#shards;
    const values = new Map([...this.#params].map(([path, { shape }]) => [path, new Float32Array(size(shape))]));
    for (const [rank, own] of pieces.entries())
      for (const { path, start, end, offset } of own) {
        const at = rank * region + offset;
        values.get(path)!.set(this.#all.subarray(at, at + end - start), start);
      }
    return Object.fromEntries(
      [...this.#params].map(([path, { shape }]) => [
        path,
        backend.upload(hostTensor("float32", shape, values.get(path)!)),
      ]),
    );
  }

  #communicate<T>(exchange: () => T): T {
    const started = performance.now();
    const result = exchange();
    this.#communication += performance.now() - started;
    return result;
  }

  /** Whose a micro-batch is; undefined where there is one rank, or none is meant. */
  #rankOf(micro: number): number | undefined {
    const { accumulate, communicator } = this.#options;
    if (micro < 0 || communicator.size === 1) return undefined;
    return Math.floor(((micro + 1) * communicator.size - 1) / accumulate);
  }

  /** Every rank has its part of the batches. An abort is heard where there is one rank: of several, all would have to hear it. */
  async evaluate(batches: Iterable<HeldOutBatch>, signal?: StopSignal): Promise<{ nats: number; tokens: number }> {
    const { communicator } = this.#options;
    if (communicator.size === 1) return this.#evaluator.evaluate(this.buffers(), batches, signal);
    const found: number[] = [];
    let index = 0;
    for (const batch of batches) {
      const isOwn = index++ % communicator.size === communicator.rank;
      const { nats, tokens } = isOwn ? await this.#evaluator.evaluate(this.buffers(), [batch]) : { nats: 0, tokens: 0 };
      found.push(nats, tokens);
    }
    const all = Float64Array.from(found);
    communicator.allReduce(all);
    const sumOf = (what: 0 | 1) => all.filter((_, i) => i % 2 === what).reduce((sum, value) => sum + value, 0);
    return { nats: sumOf(0), tokens: sumOf(1) };
  }

  buffers(): Map<string, Buffer> {
    return inModelOrder(this.#options.model, { ...this.#frozen, ...this.#parameters });
  }

  async weights(): Promise<Map<string, HostTensor>> {
    return readAll(this.buffers());
  }

  async state({ keep = true }: { readonly keep?: boolean } = {}): Promise<TrainerState> {
    const { communicator, optimizer, seed } = this.#options;
    const slots = await gatherSlots(communicator, {
      keep,
      params: this.#params,
      optimizer,
      pieces: this.#shards.pieces,
      held: this.#held.slots,
    });
    return { slots, step: this.#step, seed };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    disposeTree({ parameters: this.#parameters, frozen: this.#frozen, held: { ...this.#held } });
    await this.#evaluator[Symbol.asyncDispose]();
    for (const lazy of [this.#gradients, this.#update]) await lazy.dispose();
  }
}
