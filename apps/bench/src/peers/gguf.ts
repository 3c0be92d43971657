import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { size } from "@finegrain/graph";
import type { SizedConfig } from "@finegrain/nn";
import { repeatedNoise } from "../cases/random-weights.ts";

/*
 * A GGUF file of random weights: llama.cpp reads nothing else. Version 3 of the format, github.com/ggml-org/ggml
 * docs/gguf.md: a header, key-value pairs, descriptions of tensors, and behind padding their float32 values.
 */

/** Type numbers of the format. */
const UINT32 = 4;
const FLOAT32 = 6;
const STRING = 8;
const ARRAY = 9;
const INT32 = 5;
const TENSOR_FLOAT32 = 0;
/** Bytes of which every tensor's place is a multiple; so are the sizes of ours. */
const ALIGNMENT = 32;
/** Floats that are written at a time. */
const PIECE = 2 ** 20;

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const u64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};
const f32 = (value: number): Buffer => Buffer.from(Float32Array.of(value).buffer);
const text = (value: string): Buffer => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);

const array = (type: number, values: readonly Buffer[]): Buffer =>
  Buffer.concat([u32(type), u64(values.length), ...values]);

/** Kinds of tokens, as llama.cpp counts them. */
const NORMAL = 1;
const BYTE = 6;
/** Tokens that llama.cpp cannot do without: one a byte. */
export const BYTES = 256;

/** A vocabulary of the bytes and of words that mean nothing: llama.cpp samples only where there is one. */
function vocabularyPairs(vocabulary: number): [string, number, Buffer][] {
  const tokens = Array.from({ length: vocabulary }, (_, i) => i);
  const word = (i: number) => (i < BYTES ? `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>` : `<${i}>`);
  return [
    ["tokenizer.ggml.model", STRING, text("llama")],
    [
      "tokenizer.ggml.tokens",
      ARRAY,
      array(
        STRING,
        tokens.map((i) => text(word(i))),
      ),
    ],
    [
      "tokenizer.ggml.scores",
      ARRAY,
      array(
        FLOAT32,
        tokens.map((i) => f32(-i)),
      ),
    ],
    [
      "tokenizer.ggml.token_type",
      ARRAY,
      array(
        INT32,
        tokens.map((i) => u32(i < BYTES ? BYTE : NORMAL)),
      ),
    ],
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
  await pipeline(pieces(config, tensors), createWriteStream(path), ...(signal ? [{ signal }] : []));
  return tensors.reduce((sum, [, shape]) => sum + size(shape), 0);
}

function* pieces(config: SizedConfig, tensors: readonly [string, number[]][]): Generator<Uint8Array> {
  const head = header(config, tensors);
  yield head;
  yield Buffer.alloc(padding(head.length));
  // Small, so that no activation leaves float32's range.
  const { data } = repeatedNoise([PIECE], 0.02);
  const noise = new Uint8Array(data.buffer);
  for (const [, shape] of tensors) {
    const bytes = size(shape) * 4;
    for (let done = 0; done < bytes; done += noise.length)
      yield noise.subarray(0, Math.min(noise.length, bytes - done));
    yield Buffer.alloc(padding(bytes));
  }
}

const padding = (bytes: number): number => (ALIGNMENT - (bytes % ALIGNMENT)) % ALIGNMENT;

function header(config: SizedConfig, tensors: readonly [string, number[]][]): Buffer {
  const { vocabulary, maxLength, dModel, dFf, layers, heads } = config;
  const pairs: [string, number, Buffer][] = [
    ["general.architecture", STRING, text("gpt2")],
    ["gpt2.context_length", UINT32, u32(maxLength)],
    ["gpt2.embedding_length", UINT32, u32(dModel)],
    ["gpt2.block_count", UINT32, u32(layers)],
    ["gpt2.feed_forward_length", UINT32, u32(dFf)],
    ["gpt2.attention.head_count", UINT32, u32(heads)],
    ["gpt2.attention.layer_norm_epsilon", FLOAT32, f32(1e-5)],
    ...vocabularyPairs(vocabulary),
  ];
  let offset = 0;
  const descriptions = tensors.map(([name, shape]) => {
    const extents = shape.toReversed().map(u64); // the fastest axis first
    const description = [text(name), u32(shape.length), ...extents, u32(TENSOR_FLOAT32), u64(offset)];
    const bytes = size(shape) * 4;
    offset += bytes + padding(bytes);
    return Buffer.concat(description);
  });
  return Buffer.concat([
    Buffer.from("GGUF"),
    u32(3),
    u64(tensors.length),
    u64(pairs.length),
    ...pairs.flatMap(([key, type, value]) => [text(key), u32(type), value]),
    ...descriptions,
  ]);
}
