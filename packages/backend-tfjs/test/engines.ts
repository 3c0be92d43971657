import { createRequire } from "node:module";
import type { Engine } from "../src/index.ts";

const isInstalled = (() => {
  try {
    createRequire(import.meta.url).resolve("@tensorflow/tfjs-node");
    return true;
  } catch {
    return false;
  }
})();

/** The engines that are here: tfjs's own always, TensorFlow where `npm run build:tfjs-node` has built it. */
export const engines: readonly Engine[] = isInstalled ? ["native", "wasm", "cpu"] : ["wasm", "cpu"];
