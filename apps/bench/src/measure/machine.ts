import type { Backend } from "@finegrain/graph";
import manifest from "../../package.json" with { type: "json" };
import type { Limits } from "../limits/limits.ts";
import { builtIn } from "./node.ts";

/** What a result was measured on, and that machine's own limits, measured in the same run. */
export interface Machine {
  /** Its model; in a page, which does not hear of it, what the browser calls the device. */
  readonly cpu: string;
  readonly threads: number;
  /** Left out where a page is not told. */
  readonly memoryBytes?: number;
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
  /** The most memory that the process has had so far. Left out in a page. */
  readonly peakMemoryBytes?: number;
}

/** The machine as it is now. */
export const machine = (limits?: Limits): Machine => ({
  ...(nodesMachine() ?? browsersMachine()),
  ...(limits && {
    bandwidthBytesPerSecond: limits.bandwidth,
    bandwidthMethod: limits.bandwidthMethod,
    flopsPerSecond: limits.flopRate,
    flopsMethod: limits.flopMethod,
  }),
});

function nodesMachine(): Machine | undefined {
  const os = builtIn("node:os");
  return (
    os && {
      cpu: os.cpus()[0]?.model.trim() ?? os.arch(),
      threads: os.availableParallelism(),
      memoryBytes: os.totalmem(),
      os: `${os.platform()} ${os.release()} ${os.arch()}`,
      peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
    }
  );
}

/** What a browser says of itself, which Node's types lack. */
interface Browser {
  readonly userAgent: string;
  readonly hardwareConcurrency: number;
  /** GB, rounded, and at most 8. */
  readonly deviceMemory?: number;
}
const browser = (): Browser => (globalThis as unknown as { readonly navigator: Browser }).navigator; // where it is not Node's

/** "Mozilla/5.0 (X11; Linux x86_64) ...": the system is in the first parentheses. */
function browsersMachine(): Machine {
  const { userAgent, hardwareConcurrency, deviceMemory } = browser();
  const system = /\(([^)]*)\)/.exec(userAgent)?.[1] ?? "unnamed system";
  return {
    cpu: system,
    threads: hardwareConcurrency,
    ...(deviceMemory !== undefined && { memoryBytes: deviceMemory * 2 ** 30 }),
    os: system,
  };
}

/** "Chrome 143", the first of these that a user agent names: others call themselves Chrome or Safari too. */
function browsersName(): string {
  const [, name = "browser", version = ""] =
    /\b(Edg|Firefox|Chrome|HeadlessChrome|Version)\/(\d+)/.exec(browser().userAgent) ?? [];
  const names: Readonly<Record<string, string>> = { Edg: "Edge", HeadlessChrome: "Chrome", Version: "Safari" };
  return `${names[name] ?? name} ${version}`.trim();
}

/** Whether a backend computes with this machine's processor and memory, and not with those of a device beside it. */
export const isOnHost = ({ device }: Backend): boolean => ["cpu", "wasm", "reference"].includes(device.kind);

/** Versions of what a result depends on: finegrain, Node or the browser, and the backend's provider. */
export const versions = (backend: Pick<Backend, "device">): Record<string, string> => ({
  finegrain: manifest.version,
  ...(builtIn("node:os") ? { node: process.version } : { browser: browsersName() }),
  provider: backend.device.provider,
});
