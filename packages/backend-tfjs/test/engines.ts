import { inject } from "vitest";
import type { Engine } from "../src/index.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** What there is to test on, as vitest.config.ts found it. */
    devices: readonly string[];
  }
}

/** Whether TensorFlow itself is tested: where it is installed. */
export const isNativeTested = inject("devices").includes("tfjs:native");

/** The engines that are here: tfjs's own always. */
export const engines: readonly Engine[] = isNativeTested ? ["native", "wasm", "cpu"] : ["wasm", "cpu"];
