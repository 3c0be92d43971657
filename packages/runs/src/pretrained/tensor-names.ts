import { FinegrainError, type HostTensor, hostTensor, type Shape, type TensorType } from "@finegrain/graph";
import { leaves, type ModelConfig, matchTensors, type Param, scalingLM } from "@finegrain/nn";
import type { TensorSource } from "./tensor-source.ts";

/** How the files of one form call a model's tensors. */
export interface Naming {
  /** What stands before the tensors of block `n`. */
  block(n: string): string;
  /** Our name, of a block's tensor without the block, and theirs, both without `kernel`, `scale`, `weight` or `bias`. */
  readonly names: Readonly<Record<string, string>>;
  /** Tensors that may be there, and of which nothing is made. */
  readonly superfluous: RegExp;
  /** Each head's pairs of features that turn together are neighbours in queries and keys, and not halves apart as they are here. */
  readonly neighbours: boolean;
}

/** As transformers calls them. */
export const huggingFaceNames: Naming = {
  block: (n) => `model.layers.${n}.`,
  names: {
    embedding: "model.embed_tokens",
    norm: "model.norm",
    loss: "lm_head",
    attentionNorm: "input_layernorm",
    "attention.query": "self_attn.q_proj",
    "attention.key": "self_attn.k_proj",
    "attention.value": "self_attn.v_proj",
    "attention.output": "self_attn.o_proj",
    "attention.query.scale": "self_attn.q_norm",
    "attention.key.scale": "self_attn.k_norm",
    feedForwardNorm: "post_attention_layernorm",
    "feedForward.inner": "mlp.up_proj",
    "feedForward.gate": "mlp.gate_proj",
    "feedForward.outer": "mlp.down_proj",
  },
  superfluous: /\.rotary_emb\.inv_freq$/,
  neighbours: false,
};

/** As llama.cpp calls them. @param family its architecture: "llama" turns neighbours. */
export const ggufNames = (family: string): Naming => ({
  block: (n) => `blk.${n}.`,
  names: {
    embedding: "token_embd",
    norm: "output_norm",
    loss: "output",
    attentionNorm: "attn_norm",
    "attention.query": "attn_q",
    "attention.key": "attn_k",
    "attention.value": "attn_v",
    "attention.output": "attn_output",
    "attention.query.scale": "attn_q_norm",
    "attention.key.scale": "attn_k_norm",
    feedForwardNorm: "ffn_norm",
    "feedForward.inner": "ffn_up",
    "feedForward.gate": "ffn_gate",
    "feedForward.outer": "ffn_down",
  },
  superfluous: /^rope_freqs\.weight$/,
  neighbours: family === "llama",
});

/** A tensor of ours, and what makes it of theirs. */
interface Origin {
  readonly name: string;
  /** Theirs, whose rows are outputs. */
  readonly shape: Shape;
  /** Their rows are our columns. */
  readonly transposed: boolean;
  /** Rows of a head whose pairs are neighbours there; 0 where rows have the order that they have here. */
  readonly headWidth: number;
}

/** A model's tensor that is read from files of others when it is asked for. */
export interface ForeignTensor {
  readonly type: TensorType;
  read(): Promise<HostTensor>;
}

/**
 * The tensors of a model by our names, made from those of `source`.
 * @throws FinegrainError where tensors are missing, of another shape, or not the model's.
 */
export function foreignTensors(
  config: ModelConfig,
  source: TensorSource,
  naming: Naming,
  headWidth: number,
): Map<string, ForeignTensor> {
  const origins = originsOf(config, naming, headWidth);
  const expected = new Map(
    origins.map(({ type, origin }): [string, TensorType] => [origin.name, { ...type, shape: origin.shape }]),
  );
  const isTied = config.loss?.type === "tied";
  const spare = (name: string) => naming.superfluous.test(name) || (isTied && name === `${naming.names.loss}.weight`); // a copy of the embedding
  const found = [...source.types].filter(([name]) => expected.has(name) || !spare(name));
  matchTensors(new Map(found), expected, source.path);
  return new Map(
    origins.map(({ path, type, origin }) => [
      path,
      { type, read: async () => arranged(await source.read(origin.name), origin, type.shape) },
    ]),
  );
}

/** A model's tensors by our names, and what makes them of theirs. */
const originsOf = (config: ModelConfig, naming: Naming, headWidth: number) =>
  leaves<Param>(scalingLM(config).params).map(([path, { shape }]) => ({
    path,
    type: { dtype: "float32", shape } as const,
    origin: originOf(path, shape, naming, headWidth),
  }));

/** The other way round: a model's tensors by the names of transformers, each put in order when it is asked for. */
export const huggingFaceTensors = (
  config: ModelConfig,
  tensors: ReadonlyMap<string, HostTensor>,
): Map<string, ForeignTensor> =>
  new Map(
    originsOf(config, huggingFaceNames, 0).map(({ path, type, origin }) => [
      origin.name,
      {
        type: { ...type, shape: origin.shape },
        read: async () => arranged(tensors.get(path)!, origin, origin.shape), // it is the model's
      },
    ]),
  );

function originOf(path: string, shape: Shape, { block, names, neighbours }: Naming, headWidth: number): Origin {
  const [, prefix = "", n = "", own = ""] = /^(blocks\.(\d+)\.)?(.*)$/.exec(path)!; // matches anything
  const [, part = "", leaf = ""] = /^(.*)\.(\w+)$/.exec(own)!; // a leaf is in something
  const theirs = names[own] ?? names[part];
  if (theirs === undefined) throw new FinegrainError(`there is no name for ${path} in files of others`);
  const transposed = leaf === "kernel" && part !== "feedForward.outer";
  const turns = neighbours && leaf !== "scale" && (part === "attention.query" || part === "attention.key");
  return {
    name: `${prefix === "" ? "" : block(n)}${theirs}.${leaf === "bias" ? "bias" : "weight"}`,
    shape: transposed ? shape.toReversed() : shape,
    transposed,
    headWidth: turns ? headWidth : 0,
  };
}

/** Their tensor in our order; or ours in theirs, where heads have the same. */
function arranged({ data, shape: theirs }: HostTensor, { transposed, headWidth }: Origin, shape: Shape): HostTensor {
  const rows = theirs[0]!;
  const columns = data.length / rows;
  if (!transposed && headWidth === 0) return hostTensor("float32", shape, data);
  const result = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    const from = columns * theirRow(row, headWidth);
    const [to, step] = transposed ? [row, rows] : [columns * row, 1];
    for (let column = 0; column < columns; column++) result[to + step * column] = data[from + column]!;
  }
  return hostTensor("float32", shape, result);
}

/** Where a row of ours is, whose pairs are the halves of a head, among rows whose pairs are neighbours. */
function theirRow(row: number, headWidth: number): number {
  if (headWidth === 0) return row;
  const within = row % headWidth;
  const half = headWidth / 2;
  return row - within + 2 * (within % half) + Math.floor(within / half);
}
