import type { Backend } from "@finegrain/graph";
import type { Bandwidth } from "./bandwidth.ts";
import { machine, versions } from "./machine.ts";
import type { Samples } from "./method.ts";
import type { Failure, Measurement, Result } from "./result.ts";
import { interquartile, ratio } from "./statistics.ts";
import { BASELINE, type Case } from "./suites.ts";
import type { Prepared } from "./variant.ts";

/** A case after its rounds. */
export interface Measured {
  readonly suite: string;
  readonly entry: Case;
  readonly backend: Backend;
  readonly variants: readonly Prepared[];
  /** Of variants that did not compile. */
  readonly failures: ReadonlyMap<string, string>;
  readonly samples: ReadonlyMap<string, Samples>;
  readonly bandwidth: ReturnType<Bandwidth["best"]>;
}

/** A line for every variant of the case, in the suite's order; none for one that an interruption left without a round. */
export function results(measured: Measured): Result[] {
  const { entry, variants, failures, samples } = measured;
  return entry.variants.flatMap(({ name }): Result[] => {
    const variant = variants.find((prepared) => prepared.name === name);
    // What is measured beside a variant belongs to it: without it there is no share.
    const error = failures.get(name) ?? variant?.contestants.map((c) => samples.get(c.name)?.error).find(Boolean);
    if (error !== undefined) return [{ ...line(measured, name), error }];
    const rounds = samples.get(name)?.seconds.length ?? 0;
    return variant !== undefined && rounds > 0 ? [measurement(measured, variant)] : [];
  });
}

function line({ suite, entry, backend, bandwidth }: Measured, variant: string): Omit<Failure, "error"> {
  return {
    suite,
    case: entry.name,
    phase: entry.phase,
    backend: backend.name,
    device: backend.device.description,
    variant,
    versions: versions(backend),
    machine: { ...machine(), bandwidthBytesPerSecond: bandwidth.bytesPerSecond, bandwidthMethod: bandwidth.method },
  };
}

function measurement(measured: Measured, variant: Prepared): Measurement {
  const { samples, bandwidth } = measured;
  const { seconds } = samples.get(variant.name)!;
  const baseline = samples.get(BASELINE)?.seconds ?? [];
  const speeds = interquartile(seconds.map((time) => variant.tokensPerUnit / time));
  const common = line(measured, variant.name);
  const gemm = variant.gemmFlopsPerSecond(samples);
  return {
    ...common,
    phase: measured.entry.phase,
    tokensPerSecond: speeds,
    millisecondsPerToken: 1000 / speeds.median,
    parameters: variant.parameters,
    bytesPerToken: variant.bytesPerToken(),
    rooflineShare: variant.rooflineShare(samples, { bandwidth: bandwidth.bytesPerSecond }),
    // Time of the dense one over this one's: both are seconds for as many tokens.
    overDense: baseline.length > 0 ? ratio(baseline, seconds) : null,
    rounds: seconds.length,
    machine: { ...common.machine, ...(gemm !== undefined && { gemmFlopsPerSecond: gemm }) },
  };
}
