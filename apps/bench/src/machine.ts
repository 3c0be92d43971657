import { readFileSync } from "node:fs";
import { arch, availableParallelism, cpus, platform, release, totalmem } from "node:os";
import type { Backend } from "@finegrain/graph";

/** What a result was measured on, and that machine's own limits, measured in the same run. */
export interface Machine {
  readonly cpu: string;
  readonly threads: number;
  readonly memoryBytes: number;
  readonly os: string;
  /** See `prepareBandwidth`. */
  readonly bandwidthBytesPerSecond?: number;
  /** The method that reached it. */
  readonly bandwidthMethod?: string;
  /** fp32 rate of the backend's best large matrix product, and that product. */
  readonly flopsPerSecond?: number;
  readonly flopsMethod?: string;
  /** fp32 matrix products alone on the backend, at the case's shapes. */
  readonly gemmFlopsPerSecond?: number;
  /** The most memory that the process has had so far. */
  readonly peakMemoryBytes: number;
}

/** The machine as it is now, without its limits. */
export const machine = (): Machine => ({
  cpu: cpus()[0]?.model.trim() ?? arch(),
  threads: availableParallelism(),
  memoryBytes: totalmem(),
  os: `${platform()} ${release()} ${arch()}`,
  peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
});

/** Versions of what a result depends on. */
export const versions = (backend: Backend): Record<string, string> => ({
  finegrain: JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")).version,
  node: process.version,
  provider: backend.device.provider,
});
