import type { ProgramBuffer } from "@finegrain/codegen";
import type { Code, Local } from "../assembler/code.ts";

/** Bytes of an element that a kernel computes with or stores: only what it loads can be of fewer. */
export const WORD = 4;

/**
 * A kernel's function: its parameters are the addresses of the kernel's buffers, in the order of `buffersOf`, then `begin` and `end`, in
 * units, and `scratch`.
 */
export interface RenderedKernel {
  readonly code: Code;
  /** Parts of the work. Any thread may do any range of them. */
  readonly units: number;
  /** Ranges begin at multiples of this. */
  readonly grain: number;
  /** As many equal ranges of units, or a divisor of that, are as many equal ranges of the kernel's parallel iterations, row-major. */
  readonly rows: number;
  /** Bytes that a thread needs to itself while it works on a range. Default 0. */
  readonly scratch?: number;
}

/** The code and parameters of a kernel that reads and writes these buffers. */
export interface Opening {
  readonly code: Code;
  readonly pointers: ReadonlyMap<ProgramBuffer, Local>;
  readonly begin: Local;
  readonly end: Local;
  /** The address of the thread's own memory. */
  readonly scratch: Local;
}

/** What a runtime's WebAssembly has, and how memory is addressed. */
export interface Target {
  /** memory64. */
  readonly wide: boolean;
  /** Relaxed SIMD: a fused multiply-add. */
  readonly relaxed: boolean;
  readonly threads: number;
}
