/// <reference lib="dom" />
/*
 * The worker's side: it owns the backend and the model, so that the page stays free to draw while a text is written.
 */
import { wasmBackend } from "@finegrain/backend-wasm";
import { byteTokenizer, createGenerator, type SamplingOptions } from "@finegrain/generate";
import { type ModelConfig, readSafetensors, scalingLM } from "@finegrain/nn";

/** What a page asks for. */
export interface Request extends SamplingOptions {
  /** `model` of a run's config.json. */
  readonly config: ModelConfig;
  /** The bytes of its model.safetensors. */
  readonly weights: Uint8Array;
  readonly prompt: string;
  readonly maxTokens: number;
}

/** The next piece of the text, or its end: with the reason where something went wrong. */
export type Reply = { readonly text: string } | { readonly done: true; readonly error?: string };

const reply = (message: Reply): void => self.postMessage(message);

self.onmessage = async ({ data }: MessageEvent<Request>) => {
  const { config, weights, prompt, ...options } = data;
  try {
    const tokenizer = byteTokenizer();
    const { tensors } = readSafetensors(weights);
    await using backend = await wasmBackend();
    await using generator = await createGenerator({ backend, model: scalingLM(config), weights: tensors });
    const pieces = generator.generate(tokenizer.encode(prompt), { tokenizer, ...options });
    for await (const { text } of pieces) reply({ text });
    reply({ done: true });
  } catch (error) {
    reply({ done: true, error: error instanceof Error ? error.message : `${error}` });
  }
};
