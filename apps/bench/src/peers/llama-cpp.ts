import { mkdtemp, rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { decodeBytes, isDense } from "./dense-model.ts";
import { BYTES, writeGpt2 } from "./gguf.ts";
import { type JsonLines, numberOf, textOf } from "./json-lines.ts";
import type { ModelTask, Peer, PeerModel, PeerPlace } from "./peer.ts";
import { serverTask, startServer } from "./server.ts";

/**
 * llama.cpp through node-llama-cpp's prebuilt library, in a process of its own, on the CPU with as many threads as ours.
 *
 * It runs architectures that it knows. The nearest to our dense model is GPT-2: the same blocks of LayerNorm, attention with
 * biases and a feed-forward layer of two matrices, learned positions and a loss layer of its own, at the same widths, layers
 * and vocabulary. What is another: GELU in the place of ReLU, and no bias of the logits. Weights are random, float32, written
 * to a GGUF file in the OS's temporary folder. A step draws the token of the largest logit, as the library has no way to only
 * compute them.
 */
export const llamaCpp: Peer = {
  name: "llama.cpp",
  scope: "float32 on the CPU: decodes dense models with LayerNorm, learned positions and 256 tokens or more",
  async open({ threads }: PeerPlace) {
    const lines = startServer("llama.cpp", [process.execPath], "llama_cpp_server.mjs");
    const answer = await lines.request({ do: "hello", threads }).catch(async (error) => {
      await lines[Symbol.asyncDispose]();
      throw error;
    });
    if (typeof answer.missing === "string") {
      await lines[Symbol.asyncDispose]();
      return { reason: `not installed (npm install ${answer.missing})` };
    }
    const provider = `llama.cpp ${textOf(answer, "release")}`;
    return {
      name: "llama.cpp:cpu",
      device: { kind: "cpu", description: cpus()[0]?.model.trim() ?? "cpu", provider, threads },
      prepareModel: (task) => (has(task) ? prepare(lines, task) : Promise.resolve(undefined)),
      [Symbol.asyncDispose]: () => lines[Symbol.asyncDispose](),
    };
  },
};

const has = ({ phase, config, storage }: ModelTask): boolean => {
  const { norm = "layer", positions = "learned", activation = "relu" } = config;
  const isGpt2 = norm === "layer" && positions === "learned" && activation !== "swiglu" && config.vocabulary >= BYTES;
  return phase === "decode" && storage === "float32" && isDense(config) && isGpt2;
};

async function prepare(lines: JsonLines, { config, measure }: ModelTask): Promise<PeerModel> {
  const folder = await mkdtemp(join(tmpdir(), "finegrain-llama-"));
  const clear = () => rm(folder, { recursive: true, force: true });
  try {
    const path = join(folder, "random.gguf");
    const parameters = await writeGpt2(path, config);
    const prompt = Array.from({ length: measure.prompt }, (_, i) => (i * 7919) % config.vocabulary);
    const answer = await lines.request({ do: "prepare", path, prompt, units: measure.units });
    // The library has mapped the file, and on most systems needs its name no more: nothing stays behind, however this ends.
    await clear().catch(() => {});
    const task = serverTask(lines, numberOf(answer, "task"));
    return {
      differs: "GPT-2: GELU, no bias of the logits",
      parameters,
      bytesPerToken: decodeBytes(config, parameters, measure),
      round: () => task.seconds("round"),
      async [Symbol.asyncDispose]() {
        await task[Symbol.asyncDispose]();
        await clear();
      },
    };
  } catch (error) {
    await clear();
    throw error;
  }
}
