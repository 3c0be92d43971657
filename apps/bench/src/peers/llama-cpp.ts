import { mkdtemp, rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { scalingLM } from "@finegrain/nn";
import { ggufBlock } from "@finegrain/runs";
import { promptOperations } from "../cases/prefill-case.ts";
import { decodeBytes, familyOf, type PeerFamily, queriesWidth } from "./dense-model.ts";
import { BYTES, GGUF_FORMATS, writeGguf } from "./gguf.ts";
import { type JsonLines, numberOf, textOf } from "./json-lines.ts";
import type { ModelTask, Peer, PeerModel, PeerPlace } from "./peer.ts";
import { serverTask, startServer } from "./server.ts";

/**
 * llama.cpp through node-llama-cpp's prebuilt library, in a process of its own, on the CPU with as many threads as ours.
 *
 * It runs architectures that it knows: of our dense models those that are Llama's, and the others as the nearest, GPT-2: the same blocks of
 * LayerNorm, attention with biases and a feed-forward layer of two matrices, learned positions and a loss layer of its own, at the same widths,
 * layers and vocabulary. What is another there: GELU in the place of ReLU, and no bias of the logits. Weights are random, in float32, float16, Q8_0 or
 * Q4_0, written to a GGUF file in the OS's temporary folder. A step draws the token of the largest logit, as the library has no way to
 * only compute them; a prompt, on the other hand, ends before its logits, which is a product less.
 */
export const llamaCpp: Peer = {
  name: "llama.cpp",
  scope: "on the CPU: prompts and decode of dense models of GPT-2's or Llama's kind with 256 tokens or more",
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
      async prepareModel(task) {
        const family = runsAs(task);
        return family && prepare(lines, family, task);
      },
      [Symbol.asyncDispose]: () => lines[Symbol.asyncDispose](),
    };
  },
};

/** The family as which it runs a model; undefined where it does not. */
function runsAs({ phase, config, storage }: ModelTask): PeerFamily | undefined {
  if ((phase !== "decode" && phase !== "prefill") || config.vocabulary < BYTES) return undefined;
  const { count } = ggufBlock(GGUF_FORMATS[storage]);
  const lengths = [config.dModel, config.dFf, queriesWidth(config)];
  return lengths.some((length) => length % count !== 0) ? undefined : familyOf(config);
}

const AS_GPT2 = "GPT-2: GELU, no bias of the logits";

async function prepare(lines: JsonLines, family: PeerFamily, task: ModelTask): Promise<PeerModel> {
  const { phase, config, measure, storage } = task;
  const folder = await mkdtemp(join(tmpdir(), "finegrain-llama-"));
  const clear = () => rm(folder, { recursive: true, force: true });
  try {
    const path = join(folder, "random.gguf");
    const parameters = await writeGguf(path, config, { family, storage });
    const prompt = Array.from({ length: measure.prompt }, (_, i) => (i * 7919) % config.vocabulary);
    const units = phase === "decode" ? measure.units : 0;
    const answer = await lines.request({ do: "prepare", path, prompt, units });
    // The library has mapped the file, and on most systems needs its name no more: nothing stays behind, however this ends.
    await clear().catch(() => {});
    const served = serverTask(lines, numberOf(answer, "task"));
    const format = GGUF_FORMATS[storage];
    const { count, bytes } = ggufBlock(format);
    const differs = [...(family === "gpt2" ? [AS_GPT2] : []), ...(storage === "float32" ? [] : [format])].join("; ");
    return {
      ...(differs !== "" && { differs }),
      parameters,
      bytesPerToken: phase === "decode" ? decodeBytes(config, parameters, measure, bytes / count) : null,
      ...(phase === "prefill" && { operationsPerToken: promptOperations(scalingLM(config), measure.prompt) }),
      round: () => served.seconds("round"),
      async [Symbol.asyncDispose]() {
        await served[Symbol.asyncDispose]();
        await clear();
      },
    };
  } catch (error) {
    await clear();
    throw error;
  }
}
