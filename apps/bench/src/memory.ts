import { readFileSync, writeFileSync } from "node:fs";
import { type Backend, byteSize, FinegrainError, type TensorType } from "@finegrain/graph";
import { isOnHost } from "./machine.ts";

/** Watches the process's memory from now on. */
export interface MemoryWatch {
  /** Look now: where the system keeps no peak, the largest look is the peak. */
  look(): void;
  /** The most bytes (resident set) that the process has had since. */
  peak(): number;
}

/** The system's own peak where it can be set back (Linux), or the largest of the looks. */
export function watchMemory(): MemoryWatch {
  const hasPeak = resetPeak();
  let most = process.memoryUsage.rss();
  const look = () => {
    most = Math.max(most, process.memoryUsage.rss());
  };
  return {
    look,
    peak() {
      look();
      return hasPeak ? Math.max(most, systemPeak()) : most;
    },
  };
}

/** @see proc(5), /proc/pid/clear_refs: 5 sets the peak back to what is resident now. */
function resetPeak(): boolean {
  try {
    writeFileSync("/proc/self/clear_refs", "5");
    return systemPeak() > 0;
  } catch {
    return false;
  }
}

function systemPeak(): number {
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  return kilobytes === undefined ? 0 : Number(kilobytes) * 1024;
}

/** Parts of a GB that stay free for all else: programs, caches, the garbage of uploads. */
const RESERVE = 5e8;

/**
 * @param types what is about to be uploaded.
 * @throws FinegrainError where it is more than what is free: the system would end the process, and with it the run.
 */
export function expectRoom(backend: Backend, types: readonly TensorType[], free = freeBytes(backend)): void {
  const sizes = types.map(byteSize);
  const needed = sizes.reduce((sum, bytes) => sum + bytes, 0);
  // On this machine's own memory, the largest is there twice while it is copied.
  const passing = isOnHost(backend) ? Math.max(0, ...sizes) : 0;
  if (needed + passing + RESERVE <= free) return;
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  throw new FinegrainError(
    `does not fit: ${gigabytes(needed + passing)} of memory are needed, and ${gigabytes(free)} are free`,
  );
}

/** What is free on the device: of this machine's memory by its own word, of another's all that it has. */
const freeBytes = (backend: Backend): number =>
  isOnHost(backend) ? process.availableMemory() : (backend.device.memory ?? Number.POSITIVE_INFINITY);
