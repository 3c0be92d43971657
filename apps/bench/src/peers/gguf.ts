import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { size } from "@finegrain/graph";
import type { SizedConfig } from "@finegrain/nn";
import { type GgufEntry, ggufChunks } from "@finegrain/runs";
import { repeatedNoise } from "../cases/random-weights.ts";

/*
 * A GGUF file of random weights: llama.cpp reads nothing else.
 */

/** Floats that are written at a time. */
const PIECE = 2 ** 20;
/** Kinds of tokens, as llama.cpp counts them. */
const NORMAL = 1;
const BYTE = 6;
/** Tokens that llama.cpp cannot do without: one a byte. */
export const BYTES = 256;

/** A vocabulary of the bytes and of words that mean nothing: llama.cpp samples only where there is one. */
function vocabularyEntries(vocabulary: number): [string, GgufEntry][] {
  const tokens = Array.from({ length: vocabulary }, (_, i) => i);
  const word = (i: number) => (i < BYTES ? `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>` : `<${i}>`);
  return [
    ["tokenizer.ggml.model", ["string", "llama"]],
    ["tokenizer.ggml.tokens", ["strings", tokens.map(word)]],
    ["tokenizer.ggml.scores", ["float32s", tokens.map((i) => -i)]],
    ["tokenizer.ggml.token_type", ["int32s", tokens.map((i) => (i < BYTES ? BYTE : NORMAL))]],
  ];
}

/** Tensors of a GPT-2 by name, their extents from the slowest axis to the fastest, as ours are. */
export function gpt2Tensors({ vocabulary, maxLength, dModel, dFf, layers }: SizedConfig): [string, number[]][] {
  const linear = (name: string, out: number, into: number): [string, number[]][] => [
    [`${name}.weight`, [out, into]],
    [`${name}.bias`, [out]],
  ];
  const norm = (name: string): [string, number[]][] => [
    [`${name}.weight`, [dModel]],
    [`${name}.bias`, [dModel]],
  ];
  const block = (i: number) => [
    ...norm(`blk.${i}.attn_norm`),
    ...linear(`blk.${i}.attn_qkv`, 3 * dModel, dModel),
    ...linear(`blk.${i}.attn_output`, dModel, dModel),
    ...norm(`blk.${i}.ffn_norm`),
    ...linear(`blk.${i}.ffn_up`, dFf, dModel),
    ...linear(`blk.${i}.ffn_down`, dModel, dFf),
  ];
  return [
    ["token_embd.weight", [vocabulary, dModel]],
    ["position_embd.weight", [maxLength, dModel]],
    ...Array.from({ length: layers }, (_, i) => block(i)).flat(),
    ...norm("output_norm"),
    ["output.weight", [vocabulary, dModel]],
  ];
}

/** Write a GPT-2 of a config's widths with random float32 weights. @returns its parameters. */
export async function writeGpt2(path: string, config: SizedConfig, signal?: AbortSignal): Promise<number> {
  const tensors = gpt2Tensors(config);
  // Small, so that no activation leaves float32's range.
  const noise = new Uint8Array(repeatedNoise([PIECE], 0.02).data.buffer);
  const content = {
    metadata: metadataOf(config),
    tensors: new Map(tensors.map(([name, shape]) => [name, { shape, pieces: () => repeated(noise, 4 * size(shape)) }])),
  };
  await pipeline(ggufChunks(content), createWriteStream(path), ...(signal ? [{ signal }] : []));
  return tensors.reduce((sum, [, shape]) => sum + size(shape), 0);
}

function* repeated(noise: Uint8Array, bytes: number): Generator<Uint8Array> {
  for (let done = 0; done < bytes; done += noise.length) yield noise.subarray(0, Math.min(noise.length, bytes - done));
}

const metadataOf = ({ vocabulary, maxLength, dModel, dFf, layers, heads }: SizedConfig): Map<string, GgufEntry> =>
  new Map<string, GgufEntry>([
    ["general.architecture", ["string", "gpt2"]],
    ["gpt2.context_length", ["uint32", maxLength]],
    ["gpt2.embedding_length", ["uint32", dModel]],
    ["gpt2.block_count", ["uint32", layers]],
    ["gpt2.feed_forward_length", ["uint32", dFf]],
    ["gpt2.attention.head_count", ["uint32", heads]],
    ["gpt2.attention.layer_norm_epsilon", ["float32", 1e-5]],
    ...vocabularyEntries(vocabulary),
  ]);
