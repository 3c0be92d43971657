import { type CompiledAmongRanks, compileAmongRanks, type Exchange } from "@finegrain/distributed";
import {
  type Buffer,
  type Compiled,
  disposeTree,
  type HostTensor,
  hostTensor,
  inTurns,
  type StopSignal,
  size,
} from "@finegrain/graph";
import { paramTypes } from "@finegrain/nn";
import { TINY } from "../clip.ts";
import type { HeldOutBatch } from "../data/index.ts";
import { createEvaluator, type Evaluator } from "../evaluator.ts";
import { Lazy } from "../lazy.ts";
import { checkBatches, notFinite, rateOf, readAll, uploadBatch, uploadNow, uploadNumber } from "../step-input.ts";
import { inModelOrder, metricNames, namedSlots, pieceUpdateGraph, tracingGradients } from "../train-step.ts";
import type { Keeping, PreparedOptions, StepReport, Trainer, TrainerState } from "../training.ts";
import { ExpertSum } from "./expert-sum.ts";
import { type GradientSum, gradientSum } from "./gradient-sum.ts";
import { type Piece, type Shards, shardExperts, shardParameters, type Trained, trainedParams } from "./shards.ts";
import type { Share } from "./share.ts";
import { gatherExperts, isSharedOut, modelOfRank } from "./shared-experts.ts";
import { type Beginning, gatherSlots, type HeldPieces, pieceTypes, uploadPieces } from "./slots.ts";
import { StepFacts } from "./step-facts.ts";

type GradientGraph = ReturnType<typeof tracingGradients> extends Generator<unknown, infer G> ? G : never;

/** Pieces that this rank updates, and where the sums of their gradients are, at their offsets. */
interface Updated {
  readonly pieces: readonly Piece[];
  readonly sums: Float32Array;
}

/**
 * A trainer of several ranks, or of one that computes as they do. Every rank has all parameters, and computes the gradients of its micro-batches;
 * of its own part of the parameters it sums those of all, has the optimizer's state, and makes the update, which the others gather. Of experts that
 * are shared out a rank has its own alone: what others have to say to them comes with their tokens.
 */
export class SharedTrainer implements Trainer {
  readonly share: Share;
  readonly #options: PreparedOptions;
  /** Those that are trained, and of these those that every rank has. */
  readonly #trained: ReadonlyMap<string, Trained>;
  readonly #common: ReadonlyMap<string, Trained>;
  /** Who updates what: of what every rank has, and of experts that are shared out. */
  readonly #shards: Shards;
  readonly #experts: Shards;
  /** By rank. */
  readonly #pieces: readonly (readonly Piece[])[];
  readonly #metricNames: readonly string[];
  readonly #gradients: Lazy<Compiled<GradientGraph> | CompiledAmongRanks<GradientGraph>>;
  readonly #update: Lazy<Compiled<ReturnType<typeof pieceUpdateGraph>>>;
  readonly #evaluator: Evaluator;
  readonly #sum: GradientSum;
  readonly #expertSum: ExpertSum | undefined;
  readonly #frozen: Readonly<Record<string, Buffer>>;
  /** What the ranks send to each other of updated parameters: this rank's region, and all. */
  readonly #region: Float32Array;
  readonly #all: Float32Array;
  /** What every rank has. */
  #parameters: Readonly<Record<string, Buffer>>;
  #held: HeldPieces;
  #step: number;
  /** Milliseconds of the step at hand that went into messages. */
  #communication = 0;

  /**
   * @param frozen this rank's parameters that are not trained, on the device: the trainer's from now on.
   * @param parameters the same of those that are trained.
   */
  constructor(
    options: PreparedOptions,
    beginning: Beginning,
    frozen: Readonly<Record<string, Buffer>>,
    parameters: Readonly<Record<string, Buffer>>,
  ) {
    const { backend, model, optimizer, communicator, experts } = options;
    this.#options = options;
    this.share = options.share;
    this.#trained = trainedParams(model);
    const isShared = isSharedOut(options);
    const [common, shared] = [false, true].map(
      (is) => new Map([...this.#trained].filter(([path]) => isShared(path) === is)),
    ) as [Map<string, Trained>, Map<string, Trained>]; // one each
    this.#common = common;
    this.#shards = shardParameters(common, communicator.size, { whole: optimizer.elementwise !== true });
    this.#experts = shardExperts(shared, communicator.size);
    this.#pieces = this.#shards.pieces.map((own, rank) => [...own, ...this.#experts.pieces[rank]!]);
    this.#metricNames = metricNames(options);
    const exchange: Exchange = (...given) => this.#communicate(() => communicator.allToAll(...given));
    const among = experts && { exchange, experts };
    const config = { ...options, model: modelOfRank(options) };
    this.#gradients = new Lazy(async () => {
      const graph = await inTurns(tracingGradients(config));
      return among ? compileAmongRanks(backend, graph, exchange) : backend.compile(graph);
    });
    const types = pieceTypes(this.#ownPieces);
    this.#update = new Lazy(() => backend.compile(pieceUpdateGraph(optimizer, types), { donate: ["held"] }));
    this.#evaluator = createEvaluator({ backend, model: config.model, ...among });
    const { region } = this.#shards;
    this.#sum = gradientSum(communicator, { ...options, region });
    this.#expertSum = experts && new ExpertSum(communicator, this.#experts, { ...experts, ...options });
    this.#region = new Float32Array(region);
    this.#all = new Float32Array(region * communicator.size);
    this.#frozen = frozen;
    this.#parameters = Object.fromEntries(Object.entries(parameters).filter(([path]) => !isShared(path)));
    const ownExperts = this.#experts.pieces[communicator.rank]!.map(
      ({ name, path }) => [name, parameters[path]!] as const,
    );
    this.#held = uploadPieces(options, beginning, this.#ownPieces, new Map(ownExperts));
    this.#step = beginning.state?.step ?? 0;
  }

  get step(): number {
    return this.#step;
  }

  get #ownPieces(): readonly Piece[] {
    return this.#pieces[this.#options.communicator.rank]!;
  }

  /** Of what every rank has, and of this rank's experts: what this rank updates, and the sums of its gradients. */
  #updated(sums: Float32Array, ofExperts: Float32Array | undefined): readonly Updated[] {
    const { rank } = this.#options.communicator;
    return [
      { pieces: this.#shards.pieces[rank]!, sums },
      ...(ofExperts ? [{ pieces: this.#experts.pieces[rank]!, sums: ofExperts }] : []),
    ];
  }

  /** The parameters that are trained and that this rank has. */
  get #own(): Readonly<Record<string, Buffer>> {
    const experts = this.#experts.pieces[this.#options.communicator.rank]!;
    const { parameters } = this.#held;
    return { ...this.#parameters, ...Object.fromEntries(experts.map(({ name, path }) => [path, parameters[name]!])) };
  }

  async run(batches: readonly HostTensor[]): Promise<StepReport> {
    const { batch, length, accumulate, communicator, clipNorm } = this.#options;
    checkBatches(batches, this.#options);
    const learningRate = rateOf(this.#options, this.#step);
    const started = performance.now();
    this.#communication = 0;
    const facts = new StepFacts(this.#trained, accumulate, this.#metricNames);
    for (const [i, tokens] of batches.entries()) await this.#differentiate(tokens, this.share.start + i, facts);
    const sums = this.#communicate(() => this.#sum.exchange());
    const updated = this.#updated(sums, this.#expertSum?.take());
    for (const { pieces, sums } of updated) facts.addSquares(pieces, sums);
    this.#communicate(() => communicator.allReduce(facts.numbers));
    const { loss, norm, metrics, unusable } = facts.result();
    if (!Number.isFinite(loss) || !Number.isFinite(norm))
      throw notFinite({ step: this.#step, loss, norm, learningRate, rank: this.#rankOf(unusable) });
    await this.#move(
      updated,
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
    const found = await executable.run({ parameters: this.#own, frozen: this.#frozen, batch });
    disposeTree(batch);
    const [loss, metrics, gradients] = await Promise.all([
      found.loss.read(),
      found.metrics?.read(),
      readAll(new Map(Object.entries(found.gradients))),
    ]);
    disposeTree({ ...found });
    facts.addMicro(micro, [loss.data[0]!, ...(metrics?.data ?? [])]);
    this.#sum.add((flat) => this.#lay(gradients, flat));
    this.#expertSum?.add(gradients);
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
  async #move(updated: readonly Updated[], scale: number, learningRate: number): Promise<void> {
    const { backend, communicator } = this.#options;
    const update = await this.#update.get();
    const given = {
      sums: Object.fromEntries(
        updated.flatMap(({ pieces, sums }) =>
          pieces.map(({ name, type, start, end, offset }) => [
            name,
            backend.upload(hostTensor("float32", type.shape, sums.subarray(offset, offset + end - start))),
          ]),
        ),
      ),
      scale: uploadNumber(backend, scale),
      now: uploadNow({ backend }, this.#step, learningRate),
    };
    this.#held = update.run({ held: this.#held, ...given }).held;
    disposeTree(given);
    for (const { name, offset } of this.#shards.pieces[communicator.rank]!)
      this.#region.set((await this.#held.parameters[name]!.read()).data, offset);
    this.#communicate(() => communicator.allGather(this.#region, this.#all));
    disposeTree({ ...this.#parameters });
    this.#parameters = this.#uploadGathered();
  }

  #uploadGathered(): Record<string, Buffer> {
    const { backend } = this.#options;
    const { region, pieces } = this.#shards;
    const values = new Map([...this.#common].map(([path, { shape }]) => [path, new Float32Array(size(shape))]));
    for (const [rank, own] of pieces.entries())
      for (const { path, start, end, offset } of own) {
        const at = rank * region + offset;
        values.get(path)!.set(this.#all.subarray(at, at + end - start), start);
      }
    return Object.fromEntries(
      [...this.#common].map(([path, { shape }]) => [
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
    const { communicator, experts } = this.#options;
    const { rank, size } = communicator;
    if (size === 1) return this.#evaluator.evaluate(this.buffers(), batches, signal);
    const all = [...batches];
    const found = new Float64Array(2 * all.length);
    for (let first = 0; first < all.length; first += size) {
      const own = all[first + rank];
      if (own) {
        const { nats, tokens } = await this.#evaluator.evaluate(this.buffers(), [own]);
        found.set([nats, tokens], 2 * (first + rank));
      } else if (experts) await this.#evaluator.evaluate(this.buffers(), [all[first]!]); // whose experts the others need
    }
    communicator.allReduce(found);
    const sumOf = (what: 0 | 1) => found.filter((_, i) => i % 2 === what).reduce((sum, value) => sum + value, 0);
    return { nats: sumOf(0), tokens: sumOf(1) };
  }

  buffers(): Map<string, Buffer> {
    return inModelOrder(this.#options.model, { ...this.#frozen, ...this.#own });
  }

  slots(): Map<string, Buffer> {
    return namedSlots(this.#held.slots);
  }

  async weights({ keep = true }: Keeping = {}): Promise<Map<string, HostTensor>> {
    const { communicator, model } = this.#options;
    const isShared = isSharedOut(this.#options);
    const [buffers, types] = [this.buffers(), paramTypes(model.params)];
    const shared = new Map([...types].filter(([path]) => isShared(path)));
    const gathered = await gatherExperts(communicator, { keep, types: shared, buffers });
    if (!keep) return gathered;
    const common = await readAll(new Map([...buffers].filter(([path]) => !isShared(path))));
    return new Map([...types.keys()].map((path) => [path, common.get(path) ?? gathered.get(path)!])); // one or the other
  }

  async state({ keep = true }: Keeping = {}): Promise<TrainerState> {
    const { communicator, optimizer, seed } = this.#options;
    const slots = await gatherSlots(communicator, {
      keep,
      params: this.#trained,
      optimizer,
      pieces: this.#pieces,
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
