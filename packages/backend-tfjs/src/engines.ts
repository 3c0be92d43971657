import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, cpus, totalmem } from "node:os";
import { FinegrainError } from "@finegrain/graph";
import type { Tensor } from "@tensorflow/tfjs-core";
import { expectMemory, MOST_BYTES } from "./kernels/memory.ts";
import type { Machine } from "./machine.ts";
import type { Binding } from "./tensorflow/binding.ts";

export type Engine = "cuda" | "native" | "wasm" | "cpu";

/** What is made of an engine that is open, by whatever it holds tensors. */
type Use<T> = <H>(engine: Engine, machine: Machine<H>) => T;

const PACKAGES = { cuda: "@tensorflow/tfjs-node-gpu", native: "@tensorflow/tfjs-node" } as const;
type Native = keyof typeof PACKAGES;

/** What each of the packages that are not ours needs. Its own binary is of libtensorflow 2.9.1. */
const NEEDS: Readonly<Record<Native, string>> = {
  cuda: "its download is built for CUDA 11.2 and cuDNN 8, and scripts/build-tfjs-node.sh --cuda of finegrain's sources builds it for CUDA 12.9 and cuDNN 9",
  native:
    "npm install @tensorflow/tfjs-node downloads it, and scripts/build-tfjs-node.sh of finegrain's sources builds it without a download",
};

/** One package has TensorFlow's library in this process: two would fight over its symbols. */
let loaded: { readonly engine: Native; readonly binding: Binding } | undefined;

/** `native` where it is installed, else `wasm`. */
export const bestEngine = (): Engine => (isThere(PACKAGES.native) ? "native" : "wasm");

/** @throws FinegrainError where it does not load: with the package, what that needs, and the reason. */
export async function openEngine<T>(engine: Engine, use: Use<T>): Promise<T> {
  if (engine === "cuda" || engine === "native") return use(engine, await openNative(engine));
  return use(engine, await openKernels(engine));
}

function isThere(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}

async function openNative(engine: Native): Promise<Machine<number>> {
  const binding = await loadBinding(engine);
  const isOnGpu = binding.isUsingGpuDevice();
  if (engine === "cuda" && !isOnGpu) throw unavailable(engine, "TensorFlow found no GPU that it can use");
  const { TensorFlowMachine } = await import("./tensorflow/machine.ts");
  return new TensorFlowMachine(binding, {
    kind: engine === "cuda" ? "cuda" : "cpu",
    description: engine === "cuda" ? gpuName() : cpuName(),
    provider: `TensorFlow ${binding.TF_Version} (${PACKAGES[engine]})`,
    ...(engine === "cuda" ? {} : { memory: totalmem(), threads: threadCount() }),
  });
}

/** tfjs's own backends, which load wherever Node does. */
async function openKernels(engine: "wasm" | "cpu"): Promise<Machine<Tensor>> {
  const tf = await loadCore(engine);
  if (engine === "wasm") expectMemory();
  if (!(await tf.setBackend(engine))) throw new FinegrainError(`TensorFlow.js's ${engine} backend does not start here`);
  tf.enableProdMode(); // no advice on the console
  const { KernelMachine } = await import("./kernels/machine.ts");
  return new KernelMachine(tf, engine, {
    kind: engine,
    description: cpuName(),
    provider: `TensorFlow.js ${tf.version_core} (@tensorflow/tfjs-backend-${engine})`,
    memory: engine === "wasm" ? MOST_BYTES : totalmem(),
  });
}

/** The core of TensorFlow.js, with an engine in it. @throws FinegrainError where one of them is not installed or does not load. */
async function loadCore(engine: "wasm" | "cpu"): Promise<typeof import("@tensorflow/tfjs-core")> {
  try {
    const core = await import("@tensorflow/tfjs-core");
    await (engine === "wasm" ? import("@tensorflow/tfjs-backend-wasm") : import("@tensorflow/tfjs-backend-cpu"));
    return core;
  } catch (cause) {
    const own = `@tensorflow/tfjs-backend-${engine}`;
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason =
      code === "ERR_MODULE_NOT_FOUND"
        ? `is not installed: npm install @tensorflow/tfjs-core@4.22.0 ${own}@4.22.0`
        : `does not load (${message.split("\n")[0]})`;
    throw new FinegrainError(`TensorFlow.js's ${engine} backend ${reason}`, { cause });
  }
}

async function loadBinding(engine: Native): Promise<Binding> {
  if (loaded && loaded.engine !== engine)
    throw unavailable(engine, `this process has loaded ${PACKAGES[loaded.engine]}, and cannot load both`);
  if (loaded) return loaded.binding;
  process.env.TF_CPP_MIN_LOG_LEVEL ??= "3"; // what fails is thrown too
  process.env.TF_FORCE_GPU_ALLOW_GROWTH ??= "true"; // or it takes all of a GPU's memory
  process.env.NVIDIA_TF32_OVERRIDE ??= "0"; // or float32 products have ten bits of fraction
  try {
    // A CommonJS module: its exports are the default.
    const { default: tf } = (await import(PACKAGES[engine])) as {
      default: { findBackend(name: string): { binding: Binding } };
    };
    loaded = { engine, binding: tf.findBackend("tensorflow").binding };
    return loaded.binding;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason = code === "ERR_MODULE_NOT_FOUND" ? "it is not installed" : message.split("\n")[0]!.trim();
    throw unavailable(engine, reason, cause);
  }
}

const unavailable = (engine: Native, reason: string, cause?: unknown): FinegrainError =>
  new FinegrainError(`${PACKAGES[engine]} is not there (${reason}): ${NEEDS[engine]}`, { cause });

/** TensorFlow's own variable says how many threads an operation has. */
const threadCount = (): number => Number(process.env.TF_NUM_INTRAOP_THREADS) || availableParallelism();

const cpuName = (): string => cpus()[0]?.model.trim() ?? "CPU";

/** The name that the driver gives the GPU: TensorFlow's binding does not tell. */
function gpuName(): string {
  try {
    const folder = "/proc/driver/nvidia/gpus";
    const [first] = readdirSync(folder);
    return /^Model:\s*(.+)$/m.exec(readFileSync(`${folder}/${first}/information`, "utf8"))![1]!.trim();
  } catch {
    return "CUDA GPU";
  }
}
