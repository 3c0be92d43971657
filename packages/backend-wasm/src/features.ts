import { Code } from "./assembler/code.ts";
import { Module } from "./assembler/module.ts";

/** What this runtime's WebAssembly can do, found by trying. */
export interface Features {
  /** Relaxed SIMD: a fused multiply-add. */
  readonly relaxed: boolean;
  /** Memories beyond 4 GiB. */
  readonly memory64: boolean;
  /** Memory that threads can share: in a page, one that is cross-origin isolated. */
  readonly threads: boolean;
}

export function detectFeatures(): Features {
  return {
    relaxed: accepts(false, (code) =>
      code.splat(0, "f32").splat(0, "f32").splat(0, "f32").vector("f32x4.relaxed_madd").do("drop"),
    ),
    memory64: accepts(true, (code) => code.address(0).access("i32.load").do("drop")),
    threads: typeof SharedArrayBuffer !== "undefined",
  };
}

function accepts(wide: boolean, body: (code: Code) => unknown): boolean {
  const module = new Module({ initial: 1, maximum: 1, shared: false, wide });
  const code = new Code([], wide);
  body(code);
  module.add(code);
  return WebAssembly.validate(module.encode());
}
