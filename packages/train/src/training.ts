import type { Communicator } from "@finegrain/distributed";
import type { Backend, Buffer, HostTensor, StopSignal } from "@finegrain/graph";
import type { HeldOutBatch } from "./data/index.ts";
import type { Share } from "./distributed/share.ts";
import type { SharedExperts, StepConfig } from "./train-step.ts";

export interface TrainerOptions extends Omit<StepConfig, "experts"> {
  readonly backend: Backend;
  /** Learning rate of each step, counted from 0. */
  readonly schedule: (step: number) => number;
  /** Micro-batches whose gradients make one step, shared out among the ranks. Default 1. */
  readonly accumulate?: number;
  /** The processes that train together; the others make the same calls. Default: this one alone. */
  readonly communicator?: Communicator | undefined;
  /**
   * Sum the gradients of the micro-batches one by one in their order, whatever the number of ranks: with as many threads each, that number
   * decides no bit of what is learned. Default false.
   */
  readonly deterministic?: boolean | undefined;
  /**
   * Share the experts of expert layers out among the ranks, each of which has the weights and the optimizer's state of its own alone: tokens go to
   * the experts of their choice and back. Needs an optimizer that is `elementwise`, as many micro-batches for each rank, and experts that can be
   * shared out evenly. Default false: every rank has all experts.
   */
  readonly expertParallel?: boolean | undefined;
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
  /** Of all ranks. */
  readonly tokens: number;
  readonly milliseconds: number;
  /** Of these, in messages between the ranks and in waiting for them; left out where there is one. */
  readonly communicationMilliseconds?: number;
}

/** Whether a rank keeps what all gather. */
export interface Keeping {
  readonly keep?: boolean;
}

/** A model on a backend, one optimizer step at a time. Where several ranks train together, all call the same methods. */
export interface Trainer extends AsyncDisposable {
  /** Steps done. */
  readonly step: number;
  /** The micro-batches of every step that are this rank's. */
  readonly share: Share;
  /**
   * One optimizer step on this rank's micro-batches of `accumulate` in all, each int32 [batch, length + 1].
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
  /** All weights. @param options.keep whether this rank has a use for them: else it has none, but helps the others to theirs. Default true. */
  weights(options?: Keeping): Promise<Map<string, HostTensor>>;
  /** The same of the optimizer's slots. */
  state(options?: Keeping): Promise<TrainerState>;
  /** The weights on the device, as they are until the next step: of experts that are shared out, this rank's. */
  buffers(): Map<string, Buffer>;
  /** The optimizer's slots on the device, as they are until the next step: of several ranks, this one's part of them. */
  slots(): Map<string, Buffer>;
}

/** Options of which none is left to defaults, without what a trainer begins with. */
export interface PreparedOptions extends Omit<TrainerOptions, "weights" | "state" | "expertParallel"> {
  readonly accumulate: number;
  readonly communicator: Communicator;
  readonly deterministic: boolean;
  readonly share: Share;
  /** How ranks share experts out, where they do. The model is that of all ranks. */
  readonly experts: SharedExperts | undefined;
}
