import type { Family } from "./architecture.ts";

/** How the files of one form call the tensors of a family's models. */
export interface Naming {
  /** What stands before the tensors of block `n`. */
  block(n: string): string;
  /**
   * Our name, of a block's tensor without the block, and theirs, both without `kernel`, `scale`, `weight` or `bias`. Tensors of ours that
   * have one name there are parts of it, one after the other in its outputs. With {@link EXPERT}, each expert's matrix is a tensor of its own.
   */
  readonly names: Readonly<Record<string, string>>;
  /** Tensors that may be there, and of which nothing is made. */
  readonly superfluous: RegExp;
  /** Each head's pairs of features that turn together are neighbours in queries and keys, and not halves apart as they are here. */
  readonly neighbours: boolean;
  /** Matrices of blocks have a row for every input, and not for every output. */
  readonly inputsFirst: boolean;
}

/** Stands for an expert's number in a name. */
export const EXPERT = "{expert}";

const llamaNames = {
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
  "feedForward.router": "mlp.gate",
  "feedForward.experts.inner": `mlp.experts.${EXPERT}.up_proj`,
  "feedForward.experts.gate": `mlp.experts.${EXPERT}.gate_proj`,
  "feedForward.experts.outer": `mlp.experts.${EXPERT}.down_proj`,
  "feedForward.shared.inner": "mlp.shared_expert.up_proj",
  "feedForward.shared.gate": "mlp.shared_expert.gate_proj",
  "feedForward.shared.outer": "mlp.shared_expert.down_proj",
  "feedForward.sharedGate": "mlp.shared_expert_gate",
};

const mixtralNames = {
  ...llamaNames,
  "feedForward.router": "block_sparse_moe.gate",
  "feedForward.experts.inner": `block_sparse_moe.experts.${EXPERT}.w3`,
  "feedForward.experts.gate": `block_sparse_moe.experts.${EXPERT}.w1`,
  "feedForward.experts.outer": `block_sparse_moe.experts.${EXPERT}.w2`,
};

/** @param prefix "transformer.", which files that were published early do not have. */
const gpt2Names = (prefix: string): Naming["names"] => ({
  embedding: `${prefix}wte`,
  positions: `${prefix}wpe`,
  norm: `${prefix}ln_f`,
  loss: "lm_head",
  attentionNorm: "ln_1",
  "attention.query": "attn.c_attn",
  "attention.key": "attn.c_attn",
  "attention.value": "attn.c_attn",
  "attention.output": "attn.c_proj",
  feedForwardNorm: "ln_2",
  "feedForward.inner": "mlp.c_fc",
  "feedForward.outer": "mlp.c_proj",
});

/**
 * As transformers calls them.
 * @param has whether the files have a tensor; all that are written have the names that transformers itself writes.
 */
export function huggingFaceNames(family: Family, has: (name: string) => boolean = () => true): Naming {
  if (family === "gpt2") {
    const prefix = has("transformer.wte.weight") ? "transformer." : "";
    return {
      block: (n) => `${prefix}h.${n}.`,
      names: gpt2Names(prefix),
      superfluous: /\.attn\.(masked_)?bias$/, // masks
      neighbours: false,
      inputsFirst: true,
    };
  }
  return {
    block: (n) => `model.layers.${n}.`,
    names: family === "mixtral" ? mixtralNames : llamaNames,
    superfluous: /\.rotary_emb\.inv_freq$/,
    neighbours: false,
    inputsFirst: false,
  };
}

/** As llama.cpp calls them. */
export const ggufNames = (family: Family): Naming => ({
  block: (n) => `blk.${n}.`,
  names: {
    embedding: "token_embd",
    positions: "position_embd",
    norm: "output_norm",
    loss: "output",
    attentionNorm: "attn_norm",
    ...(family === "gpt2"
      ? { "attention.query": "attn_qkv", "attention.key": "attn_qkv", "attention.value": "attn_qkv" }
      : { "attention.query": "attn_q", "attention.key": "attn_k", "attention.value": "attn_v" }),
    "attention.output": "attn_output",
    "attention.query.scale": "attn_q_norm",
    "attention.key.scale": "attn_k_norm",
    feedForwardNorm: "ffn_norm",
    "feedForward.inner": "ffn_up",
    "feedForward.gate": "ffn_gate",
    "feedForward.outer": "ffn_down",
    "feedForward.router": "ffn_gate_inp",
    "feedForward.experts.inner": "ffn_up_exps",
    "feedForward.experts.gate": "ffn_gate_exps",
    "feedForward.experts.outer": "ffn_down_exps",
    "feedForward.shared.inner": "ffn_up_shexp",
    "feedForward.shared.gate": "ffn_gate_shexp",
    "feedForward.shared.outer": "ffn_down_shexp",
    "feedForward.sharedGate": "ffn_gate_inp_shexp",
  },
  superfluous: /^rope_freqs\.weight$/,
  neighbours: family === "llama" || family === "mixtral",
  inputsFirst: false,
});
