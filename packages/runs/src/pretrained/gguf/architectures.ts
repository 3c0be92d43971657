import type { Family } from "../architecture.ts";

/** llama.cpp's names of families. Mixtral's models are Llama's with experts there; Mistral's are Llama's as they are. */
export const ARCHITECTURES: ReadonlyMap<Family, string> = new Map([
  ["llama", "llama"],
  ["qwen2", "qwen2"],
  ["qwen3", "qwen3"],
  ["mixtral", "llama"],
  ["olmoe", "olmoe"],
  ["qwen2_moe", "qwen2moe"],
  ["qwen3_moe", "qwen3moe"],
  ["gpt2", "gpt2"],
]);

/** Whether what the chosen experts count sums to 1: llama.cpp knows that by the family alone. */
export const sharesSumToOne = (family: Family): boolean => family === "mixtral" || family === "qwen3_moe";
