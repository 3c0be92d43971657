import { type Backend, byteSize, FinegrainError, type TensorType } from "@finegrain/graph";
import { isOnHost } from "./machine.ts";
import { builtIn } from "./node.ts";

/** Watches the memory of the process and of a backend's device from now on. */
export interface MemoryWatch {
  /** Look now: what is not kept by the system is the largest of the looks. */
  look(): void;
  /** The most since. */
  peak(): MemoryPeak;
}

export interface MemoryPeak {
  /** Of the process: resident set. Left out in a page, which cannot see its own. */
  readonly peakMemoryBytes?: number;
  /** Of the device; null where the backend does not tell. */
  readonly deviceMemoryBytes: number | null;
}

/** Of the process, the system's own peak where it can be set back (Linux). */
export function watchMemory(backend: Pick<Backend, "memoryInUse">): MemoryWatch {
  const hasPeak = resetPeak();
  let [resident, onDevice] = [0, 0];
  const look = () => {
    resident = Math.max(resident, globalThis.process?.memoryUsage?.rss() ?? 0, hasPeak ? systemPeak() : 0);
    onDevice = Math.max(onDevice, backend.memoryInUse?.() ?? 0);
  };
  return {
    look,
    peak() {
      look();
      return {
        ...(resident > 0 && { peakMemoryBytes: resident }),
        deviceMemoryBytes: backend.memoryInUse ? onDevice : null,
      };
    },
  };
}

/** @see proc(5), /proc/pid/clear_refs: 5 sets the peak back to what is resident now. */
function resetPeak(): boolean {
  try {
    builtIn("node:fs")?.writeFileSync("/proc/self/clear_refs", "5");
    return systemPeak() > 0;
  } catch {
    return false;
  }
}

function systemPeak(): number {
  const status = builtIn("node:fs")?.readFileSync("/proc/self/status", "utf8") ?? "";
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  return kilobytes === undefined ? 0 : Number(kilobytes) * 1024;
}

/** Parts of a GB that stay free for all else: programs, caches, the garbage of uploads. */
const RESERVE = 5e8;

/**
 * @param types what is about to be uploaded.
 * @param freeNow tells how many bytes are free; another one in tests.
 * @throws FinegrainError where it is more than what is free: the system would end the process, and with it the run.
 */
export function expectRoom(backend: Backend, types: readonly TensorType[], freeNow = freeBytes): void {
  const sizes = types.map(byteSize);
  const needed = sizes.reduce((sum, bytes) => sum + bytes, 0);
  // On this machine's own memory, the largest is there twice while it is copied.
  const passing = isOnHost(backend) ? Math.max(0, ...sizes) : 0;
  const fits = (free: number) => needed + passing + RESERVE <= free;
  if (fits(freeNow(backend))) return;
  collectGarbage(); // what earlier cases freed may still wait for it
  const free = freeNow(backend);
  if (fits(free)) return;
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  throw new FinegrainError(
    `does not fit: ${gigabytes(needed + passing)} of memory are needed, and ${gigabytes(free)} are free`,
  );
}

/** What is free on the device: of this machine's memory by its own word, which a page does not hear, of another's all that it has. */
const freeBytes = (backend: Backend): number =>
  (isOnHost(backend) ? globalThis.process?.availableMemory?.() : backend.device.memory) ?? Number.POSITIVE_INFINITY;

/** Node keeps the collector from programs that were not started with a flag; V8 takes the flag at any time. A page has none. */
function collectGarbage(): void {
  builtIn("node:v8")?.setFlagsFromString("--expose-gc");
  const collect: () => void = builtIn("node:vm")?.runInNewContext("gc") ?? (() => {});
  collect();
  collect(); // arrays are given back beside the program: the second waits for the first's
}
