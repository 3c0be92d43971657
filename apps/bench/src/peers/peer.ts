import type { Backend, DeviceInfo } from "@finegrain/graph";
import type { SizedConfig, Storage } from "@finegrain/nn";
import type { OpKind } from "../cases/op-programs.ts";
import type { ModelPhase } from "../results/result.ts";
import type { Measure, OpVariant } from "../suites/suite.ts";

/** Where a peer is to run, so that it has what our backend has. */
export interface PeerPlace {
  /** The backend's `DeviceInfo.kind`: "cpu", "cuda", "webgpu", "reference". */
  readonly kind: string;
  readonly threads: number;
  /** The backend's, as its `DeviceInfo` has them. */
  readonly description?: string;
  readonly software?: boolean;
}

/** A model of a case, as a peer is asked to run it. */
export interface ModelTask {
  readonly phase: ModelPhase;
  readonly config: SizedConfig;
  readonly measure: Measure;
  readonly storage: Storage;
}

/** An operation at one size, as a peer is asked to run it: see `opProgram`. */
export interface OpTask {
  readonly op: OpKind;
  readonly shape: OpVariant["shape"];
}

/** Something that a peer has made ready to be measured. */
export interface PeerVariant extends AsyncDisposable {
  /** Do one round's work. @returns seconds per unit (a token, a step, a pass, a run of an operation). */
  round(): Promise<number>;
}

/** A model that a peer has made ready. */
export interface PeerModel extends PeerVariant {
  /** In what it is another than the variant's: "GELU". Left out: in nothing that costs time. */
  readonly differs?: string;
  readonly parameters: number;
  /** Bytes that a decode step reads; null elsewhere. */
  readonly bytesPerToken: number | null;
  /** Prefill: floating-point operations of the matrix products, a token. */
  readonly operationsPerToken?: number;
  /** Training: the unit's matrix products alone, in floating-point operations, and a round of them in seconds per unit. */
  readonly products?: { readonly flops: number; round(): Promise<number> };
}

/** A peer that is there. */
export interface PeerSession extends AsyncDisposable {
  /** As results show it: "pytorch:cpu". */
  readonly name: string;
  /** Its `provider` is the peer's name and version. */
  readonly device: DeviceInfo;
  /** Where the peer runs our own dense graphs, in kernels of its own: what runs them, in the place of the two below. */
  readonly backend?: Backend;
  /**
   * Make a model ready to be measured. Left out by a peer that has none.
   * @returns undefined where the peer has no such thing: `Peer.scope` says what it has.
   * @throws FinegrainError where it has, and could not.
   */
  prepareModel?(task: ModelTask): Promise<PeerModel | undefined>;
  /** The same for an operation. */
  prepareOp?(task: OpTask): Promise<PeerVariant | undefined>;
}

/** Why a peer is not there: "not installed (npm install node-llama-cpp)". */
export interface PeerAbsence {
  readonly reason: string;
}

/** Another library that our variants are measured against, in the same rounds. */
export interface Peer {
  /** As the command line names it. */
  readonly name: string;
  /** What it can be asked to run: "decodes dense models on CPUs". */
  readonly scope: string;
  /** Start it. What it needs is loaded by this and not before. */
  open(place: PeerPlace): Promise<PeerSession | PeerAbsence>;
}

export const isAbsence = (opened: PeerSession | PeerAbsence): opened is PeerAbsence => "reason" in opened;
