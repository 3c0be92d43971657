import type { Backend } from "@finegrain/graph";
import type { Peer, PeerPlace } from "./peer.ts";

/** ONNX Runtime's CPU kernels, in this process, for the same dense graph that ours is made of, with as many threads. */
export const onnxRuntime: Peer = {
  name: "onnxruntime",
  scope: "float32 on the CPU: dense models, and every operation",
  async open({ threads }: PeerPlace) {
    let backend: Backend;
    try {
      const { onnxBackend } = await import("@finegrain/backend-onnx");
      backend = await onnxBackend({ device: "cpu", threads });
    } catch (error) {
      // A package that lacks one of its own says so itself.
      if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error; // import rejects with an Error
      return { reason: "not installed (npm install @finegrain/backend-onnx onnxruntime-node)" };
    }
    return {
      name: "onnxruntime:cpu",
      device: backend.device,
      backend,
      [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose](),
    };
  },
};
