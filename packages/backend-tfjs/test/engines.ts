import { createRequire } from "node:module";
import type { Engine } from "../src/index.ts";

/** What FINEGRAIN_REQUIRE names must open, and fails where it does not: `tfjs:native,...`. */
const isRequired = (process.env.FINEGRAIN_REQUIRE ?? "").split(",").includes("tfjs:native");

const isInstalled = (() => {
  try {
    createRequire(import.meta.url).resolve("@tensorflow/tfjs-node");
    return true;
  } catch {
    return false;
  }
})();

/** Whether TensorFlow itself is tested: where it is installed, and where it has to be. */
export const isNativeTested = isInstalled || isRequired;
/** What a test is called that could not run. */
export const NOT_INSTALLED = "tfjs:native is not tested: npm run build:tfjs-node installs it";

/** The engines that are here: tfjs's own always. */
export const engines: readonly Engine[] = isNativeTested ? ["native", "wasm", "cpu"] : ["wasm", "cpu"];
