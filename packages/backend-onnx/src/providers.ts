import { FinegrainError } from "@finegrain/graph";
import type * as Ort from "onnxruntime-node";
import { ModelBuilder } from "./model-builder.ts";

export type Provider = "cpu" | "webgpu" | "cuda";

/** @throws FinegrainError where onnxruntime-node is not installed or does not load here. */
export async function loadOnnxRuntime(): Promise<typeof Ort> {
  try {
    const loaded = await import("onnxruntime-node");
    const ort = (loaded as { default?: typeof Ort }).default ?? loaded; // a CommonJS module: its exports are the default
    ort.env.logLevel = "fatal"; // what fails is thrown too
    return ort;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FinegrainError(
      `onnxruntime-node does not load (${reason}): install it with npm install onnxruntime-node`,
      { cause },
    );
  }
}

const missing: Readonly<Record<Provider, string>> = {
  cpu: "install it with npm install onnxruntime-node",
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
    throw new FinegrainError(`ONNX Runtime's ${provider} provider is not there (${reason}): ${missing[provider]}`, {
      cause,
    });
  }
}
