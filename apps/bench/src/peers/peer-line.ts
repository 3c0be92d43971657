import type { Spread } from "../measure/statistics.ts";
import type { Measurement } from "../results/result.ts";

/** A line of `peers/pytorch_layers.py` of before the schema: it says neither its suite nor its machine. */
interface OldPeer {
  readonly peer: string;
  readonly case: string;
  readonly variant: string;
  readonly tokensPerSecond: number;
  readonly overDense: Spread;
  readonly parameters: number;
  readonly rounds: number;
}

const isOldPeer = (value: object): value is OldPeer =>
  "peer" in value && "tokensPerSecond" in value && typeof value.tokensPerSecond === "number";

/** A result from a peer's line as lines were before the schema; nothing where it is no such line. */
export function peerOfBeforeTheSchema(value: object): Measurement | undefined {
  if (!isOldPeer(value)) return undefined;
  const { peer, tokensPerSecond, ...rest } = value;
  return {
    suite: "train-layers",
    phase: "layer",
    backend: "pytorch",
    device: UNKNOWN_MACHINE,
    versions: { provider: peer },
    machine: { cpu: "", threads: 0, memoryBytes: Number.NaN, os: "", peakMemoryBytes: Number.NaN },
    tokensPerSecond: { median: tokensPerSecond, low: tokensPerSecond, high: tokensPerSecond },
    millisecondsPerToken: 1000 / tokensPerSecond,
    bytesPerToken: null,
    rooflineShare: Number.NaN,
    ...rest,
  };
}

/** Where a line does not say what it was measured on. */
export const UNKNOWN_MACHINE = "a machine not recorded";
