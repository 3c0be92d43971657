import { arch, availableParallelism, cpus, platform, release, totalmem } from "node:os";
import type { Backend } from "@finegrain/graph";
import manifest from "../../package.json" with { type: "json" };
import type { Limits } from "../limits/limits.ts";

/** What a result was measured on, and that machine's own limits, measured in the same run. */
export interface Machine {
  readonly cpu: string;
  readonly threads: number;
  readonly memoryBytes: number;
  readonly os: string;
  /** See `prepareBandwidth`; 0 where nothing told. */
  readonly bandwidthBytesPerSecond?: number;
  /** The method that reached it. */
  readonly bandwidthMethod?: string;
  /** See `prepareFlopRate`; 0 where nothing told. */
  readonly flopsPerSecond?: number;
  readonly flopsMethod?: string;
  /** fp32 matrix products alone on the backend, at the case's shapes. */
  readonly gemmFlopsPerSecond?: number;
  /** The most memory that the process has had so far. */
  readonly peakMemoryBytes: number;
}

/** The machine as it is now. */
export const machine = (limits?: Limits): Machine => ({
  cpu: cpus()[0]?.model.trim() ?? arch(),
  threads: availableParallelism(),
  memoryBytes: totalmem(),
  os: `${platform()} ${release()} ${arch()}`,
  peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
  ...(limits && {
    bandwidthBytesPerSecond: limits.bandwidth,
    bandwidthMethod: limits.bandwidthMethod,
    flopsPerSecond: limits.flopRate,
    flopsMethod: limits.flopMethod,
  }),
});

/** Whether a backend computes with this machine's processor and memory, and not with those of a device beside it. */
export const isOnHost = ({ device }: Backend): boolean => ["cpu", "wasm", "reference"].includes(device.kind);

/** Versions of what a result depends on. */
export const versions = (backend: Pick<Backend, "device">): Record<string, string> => ({
  finegrain: manifest.version,
  node: process.version,
  provider: backend.device.provider,
});
