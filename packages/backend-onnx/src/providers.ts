import { FinegrainError } from "@finegrain/graph";
import type * as Ort from "onnxruntime-node";
import { ModelBuilder } from "./model-builder.ts";

export type Provider = "cpu" | "webgpu" | "cuda";

/** @throws FinegrainError where onnxruntime-node is not installed, or is and does not load here. */
export async function loadOnnxRuntime(): Promise<typeof Ort> {
  try {
    const loaded = await import("onnxruntime-node");
    const ort = (loaded as { default?: typeof Ort }).default ?? loaded; // a CommonJS module: its exports are the default
    ort.env.logLevel = "fatal"; // what fails is thrown too
    return ort;
  } catch (cause) {
    throw new FinegrainError(complaint(cause as NodeJS.ErrnoException), { cause }); // what Node throws
  }
}

/** A package that is there and broken is not mended by installing it: what failed has to be known. */
export function complaint({ code, message }: NodeJS.ErrnoException): string {
  // Its own modules may be missing as well: only the package itself is named by its name alone.
  if (code?.endsWith("MODULE_NOT_FOUND") && message.includes("'onnxruntime-node'"))
    return "onnxruntime-node is not installed: npm install onnxruntime-node";
  return `onnxruntime-node is installed, but does not load on this machine (${message.split("\n")[0]})`;
}

const missing: Readonly<Record<Exclude<Provider, "cpu">, string>> = {
  webgpu: "it needs a GPU with a Vulkan, Metal or Direct3D 12 driver",
  cuda: "it needs an NVIDIA driver, CUDA 12 and cuDNN 9, and the provider that node node_modules/onnxruntime-node/script/install.js --onnxruntime-node-install=cuda12 downloads",
};

/**
 * Open a one-node model on a provider: whether it is there is only known then.
 * @throws FinegrainError that says what it needs.
 */
export async function openProvider(ort: typeof Ort, provider: Provider): Promise<void> {
  const m = new ModelBuilder();
  const type = { dtype: "float32", shape: [1] } as const;
  const model = m.finish("probe", [[m.node("Neg", [m.input("x", type)]), type]]);
  try {
    const session = await ort.InferenceSession.create(model, {
      executionProviders: [provider],
      logSeverityLevel: 4,
      // Else ONNX Runtime may run the node on its CPU provider, which it adds to any other.
      ...(provider === "cpu" ? {} : { extra: { session: { disable_cpu_ep_fallback: "1" } } }),
    });
    await session.run({ x: new ort.Tensor("float32", Float32Array.of(1), [1]) });
    await session.release();
  } catch (cause) {
    // The last sentence of the first line: ahead of it are places in ONNX Runtime's source.
    const reason = (cause instanceof Error ? cause.message : String(cause)).split("\n")[0]!.split(". ").at(-1);
    const help = provider === "cpu" ? "" : `: ${missing[provider]}`;
    throw new FinegrainError(`ONNX Runtime's ${provider} provider is not there (${reason})${help}`, { cause });
  }
}
