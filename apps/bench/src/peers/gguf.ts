import { createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { size, toFloat16 } from "@finegrain/graph";
import type { SizedConfig, Storage } from "@finegrain/nn";
import { type GgufEntry, type GgufFormat, ggufBlock, ggufChunks, metadataOfModel } from "@finegrain/runs";
import { repeatedNoise } from "../cases/random-weights.ts";
import { isTied, keysWidth, type PeerFamily, queriesWidth } from "./dense-model.ts";

/*
 * A GGUF file of random weights: llama.cpp reads nothing else.
 */

/** What llama.cpp keeps matrices in that has as many bits as a storage of ours. */
export const GGUF_FORMATS: Readonly<Record<Storage, GgufFormat>> = {
  float32: "F32",
  float16: "F16",
  int8: "Q8_0",
  int4: "Q4_0",
};

/** Numbers that are written at a time. */
const PIECE = 2 ** 20;
/** Of the weights: small, so that no activation leaves float32's range. */
const DEVIATION = 0.02;
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

type Described = [name: string, shape: number[]];

/** Tensors of a model of a family by name, their extents from the slowest axis to the fastest, as ours are. */
const tensorsOf = (config: SizedConfig, family: PeerFamily): Described[] =>
  family === "gpt2" ? gpt2Tensors(config) : llamaTensors(config);

function gpt2Tensors({ vocabulary, maxLength, dModel, dFf, layers }: SizedConfig): Described[] {
  const linear = (name: string, out: number, into: number): Described[] => [
    [`${name}.weight`, [out, into]],
    [`${name}.bias`, [out]],
  ];
  const norm = (name: string): Described[] => [
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

function llamaTensors(config: SizedConfig): Described[] {
  const { vocabulary, dModel, dFf, layers } = config;
  const [queries, keys] = [queriesWidth(config), keysWidth(config)];
  const block = (i: number): Described[] => [
    [`blk.${i}.attn_norm.weight`, [dModel]],
    [`blk.${i}.attn_q.weight`, [queries, dModel]],
    [`blk.${i}.attn_k.weight`, [keys, dModel]],
    [`blk.${i}.attn_v.weight`, [keys, dModel]],
    [`blk.${i}.attn_output.weight`, [dModel, queries]],
    [`blk.${i}.ffn_norm.weight`, [dModel]],
    [`blk.${i}.ffn_gate.weight`, [dFf, dModel]],
    [`blk.${i}.ffn_up.weight`, [dFf, dModel]],
    [`blk.${i}.ffn_down.weight`, [dModel, dFf]],
  ];
  return [
    ["token_embd.weight", [vocabulary, dModel]],
    ...Array.from({ length: layers }, (_, i) => block(i)).flat(),
    ["output_norm.weight", [dModel]],
    ...(isTied(config) ? [] : ([["output.weight", [vocabulary, dModel]]] satisfies Described[])),
  ];
}

/** Write a model of a config's widths with random weights, its matrices in a storage's format. @returns its parameters. */
export async function writeGguf(
  path: string,
  config: SizedConfig,
  { family, storage }: { readonly family: PeerFamily; readonly storage: Storage },
): Promise<number> {
  const tensors = tensorsOf(config, family);
  const noise = repeatedNoise([PIECE], DEVIATION).data as Float32Array; // it is float32
  const pieces = { F32: new Uint8Array(noise.buffer), [GGUF_FORMATS[storage]]: encoded(noise, GGUF_FORMATS[storage]) };
  const content = {
    metadata: new Map([...metadataOf(config, family), ...vocabularyEntries(config.vocabulary)]),
    tensors: new Map(
      tensors.map(([name, shape]) => {
        const format = shape.length > 1 && name !== POSITIONS ? GGUF_FORMATS[storage] : "F32";
        const bytes = pieces[format]!;
        return [name, { shape, format, pieces: () => repeated(bytes, (size(shape) / PIECE) * bytes.length) }];
      }),
    ),
  };
  await pipeline(ggufChunks(content), createWriteStream(path));
  return tensors.reduce((sum, [, shape]) => sum + size(shape), 0);
}

/** A table of which one row is added. */
const POSITIONS = "position_embd.weight";

const metadataOf = (config: SizedConfig, family: PeerFamily): Map<string, GgufEntry> =>
  family === "gpt2"
    ? metadataOfModel({ ...config, feedForward: { type: "dense", activation: "fastGelu" } }, family)
    : metadataOfModel(config, family);

/** Numbers as the blocks of a format, which all have the same scale. */
function encoded(noise: Float32Array, format: GgufFormat): Uint8Array {
  if (format === "F32") return new Uint8Array(noise.buffer);
  if (format === "F16") return new Uint8Array(Uint16Array.from(noise, toFloat16).buffer);
  const { count, bytes } = ggufBlock(format);
  const largest = noise.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const bits = format === "Q8_0" ? 8 : 4;
  const steps = 2 ** (bits - 1) - 1;
  const scale = toFloat16(largest / steps);
  const whole = Int8Array.from(noise, (x) => Math.round((x / largest) * steps));
  const head = 2; // the scale
  const blocks = new Uint8Array((noise.length / count) * bytes);
  for (let block = 0, at = 0; at < blocks.length; block++, at += bytes) {
    blocks[at] = scale & 255;
    blocks[at + 1] = scale >> 8;
    for (let k = 0; k < bytes - head; k++) {
      const first = whole[block * count + k]!;
      // Q4_0 has number k + 16 in the upper half of byte k, and counts from -8.
      blocks[at + head + k] = bits === 8 ? first : (first + 8) | ((whole[block * count + k + count / 2]! + 8) << 4);
    }
  }
  return blocks;
}

function* repeated(noise: Uint8Array, bytes: number): Generator<Uint8Array> {
  for (let done = 0; done < bytes; done += noise.length) yield noise.subarray(0, Math.min(noise.length, bytes - done));
}
