"""Small random models of every family that finegrain opens, with what transformers computes: test data of packages/runs.

    pip install torch transformers tokenizers gguf sentencepiece
    python scripts/pretrained-cases.py packages/runs/test/pretrained/cases

Each case is a folder as transformers saves it (config.json, tokenizer.json, model.safetensors or shards with their index), with
expected.json beside: token ids, the logits of every one of them, and a greedy text. Some have the same weights as model.gguf, with the
rows of queries and keys in the order of llama.cpp. blocks.json has blocks of every format of GGUF, and the numbers that gguf-py reads
from them; sentencepiece.json a tokenizer as a GGUF file has it, with ids of SentencePiece itself.
"""

import io
import json
import math
import pathlib
import re
import sys

import gguf
import numpy as np
import safetensors.torch
import sentencepiece
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    OlmoeConfig,
    OlmoeForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2MoeConfig,
    Qwen2MoeForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)

VOCABULARY = 265  # as many as the tokenizer has
SMALL = dict(
    vocab_size=VOCABULARY,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=64,
    initializer_range=0.3,
    bos_token_id=0,
    eos_token_id=1,
)
IN_GPT2 = dict(
    vocab_size=VOCABULARY,
    n_embd=32,
    n_layer=2,
    n_head=4,
    n_positions=64,
    initializer_range=0.3,
    bos_token_id=0,
    eos_token_id=1,
)
EXPERTS = dict(num_experts=4, num_experts_per_tok=2)
LLAMA3 = dict(
    rope_type="llama3",
    factor=8.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=32,
    rope_theta=500.0,
)
# name: model, its config, dtype of its file, whether in shards
CASES = {
    "llama": (LlamaForCausalLM, LlamaConfig(**SMALL, tie_word_embeddings=True), torch.float32, False),
    "llama3": (LlamaForCausalLM, LlamaConfig(**SMALL, rope_parameters=LLAMA3, attention_bias=True), torch.bfloat16, True),
    "mistral": (
        MistralForCausalLM,
        MistralConfig(**{**SMALL, "sliding_window": 48, "head_dim": 16, "rms_norm_eps": 1e-5}),
        torch.float16,
        False,
    ),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(**SMALL, tie_word_embeddings=True), torch.float32, False),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config(**SMALL, head_dim=16), torch.float32, False),
    "mixtral": (
        MixtralForCausalLM,
        MixtralConfig(**SMALL, num_local_experts=4, num_experts_per_tok=2),
        torch.bfloat16,
        True,
    ),
    "olmoe": (OlmoeForCausalLM, OlmoeConfig(**SMALL, **EXPERTS), torch.float16, False),
    "qwen2_moe": (
        Qwen2MoeForCausalLM,
        Qwen2MoeConfig(
            **SMALL, **EXPERTS, moe_intermediate_size=24, shared_expert_intermediate_size=40, mlp_only_layers=[]
        ),
        torch.float32,
        False,
    ),
    "qwen3_moe": (
        Qwen3MoeForCausalLM,
        Qwen3MoeConfig(**SMALL, **EXPERTS, head_dim=16, moe_intermediate_size=24, norm_topk_prob=True),
        torch.float32,
        False,
    ),
    "gpt2": (GPT2LMHeadModel, GPT2Config(**IN_GPT2), torch.float32, False),
}
# As it was published: the scaling that a GGUF file has as a tensor of divisors.
LLAMA31 = {**LLAMA3, "original_max_position_embeddings": 8192, "rope_theta": 500000.0}
IN_GGUF = {
    "llama": CASES["llama"],
    "llama31": (LlamaForCausalLM, LlamaConfig(**SMALL, rope_parameters=LLAMA31, attention_bias=True), torch.float32, False),
    "qwen2": CASES["qwen2"],
    "qwen3": CASES["qwen3"],
    "mixtral": CASES["mixtral"],
    "olmoe": CASES["olmoe"],
    "qwen2_moe": CASES["qwen2_moe"],
    "qwen3_moe": CASES["qwen3_moe"],
    "gpt2": CASES["gpt2"],
}
TOKENS = 24
WRITTEN = 16


def tokenizer() -> Tokenizer:
    """Bytes, a few merges, and two tokens for the ends of a text."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("i", "n"), ("a", "n"), ("an", "d"), ("Ġ", "and")]
    tokens = ["<s>", "</s>", *alphabet, *(left + right for left, right in merges)]
    made = Tokenizer(models.BPE({token: k for k, token in enumerate(tokens)}, merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(["<s>", "</s>"])
    return made


def randomize(model: torch.nn.Module) -> None:
    """Norms and biases that are not 1 and 0, so that leaving one out shows."""
    for name, weight in model.named_parameters():
        if weight.ndim == 1:
            noise = 0.3 * torch.randn_like(weight)
            weight.data = noise if name.endswith("bias") else 1 + noise


def save(folder: pathlib.Path, seed: int, make, config, dtype, in_shards: bool) -> None:
    torch.manual_seed(seed)
    model = make(config)
    randomize(model)
    model = model.to(dtype)
    model.save_pretrained(folder, max_shard_size="20KB" if in_shards else "5GB")
    (folder / "generation_config.json").unlink(missing_ok=True)
    tokenizer().save(str(folder / "tokenizer.json"))
    # The usual way through experts has no float64.
    own = {"experts_implementation": "eager"} if hasattr(config, "num_experts_per_tok") else {}
    exact = make.from_pretrained(folder, dtype=torch.float32, **own).double().eval()
    ids = torch.randint(2, VOCABULARY, (1, TOKENS))
    with torch.no_grad():
        logits = exact(ids).logits[0]
        text = ids
        for _ in range(WRITTEN):
            text = torch.cat([text, exact(text).logits[:, -1:].argmax(-1)], 1)
    expected = {
        "transformers": transformers.__version__,
        "tokens": ids[0].tolist(),
        "logits": [[float(f"{x:.9g}") for x in row] for row in logits.tolist()],
        "greedy": text[0, TOKENS:].tolist(),
    }
    (folder / "expected.json").write_text(json.dumps(expected))


NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.up_proj": "ffn_up",
    "mlp.gate_proj": "ffn_gate",
    "mlp.down_proj": "ffn_down",
    "mlp.gate": "ffn_gate_inp",
    "mlp.experts.up_proj": "ffn_up_exps",
    "mlp.experts.gate_proj": "ffn_gate_exps",
    "mlp.experts.down_proj": "ffn_down_exps",
    "mlp.shared_expert.up_proj": "ffn_up_shexp",
    "mlp.shared_expert.gate_proj": "ffn_gate_shexp",
    "mlp.shared_expert.down_proj": "ffn_down_shexp",
    "mlp.shared_expert_gate": "ffn_gate_inp_shexp",
    "block_sparse_moe.gate": "ffn_gate_inp",
    "block_sparse_moe.experts.w3": "ffn_up_exps",
    "block_sparse_moe.experts.w1": "ffn_gate_exps",
    "block_sparse_moe.experts.w2": "ffn_down_exps",
    "transformer.wte": "token_embd",
    "transformer.wpe": "position_embd",
    "transformer.ln_f": "output_norm",
    "ln_1": "attn_norm",
    "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output",
    "ln_2": "ffn_norm",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}


def neighbours(rows: np.ndarray, heads: int) -> np.ndarray:
    """LlamaModel.permute of llama.cpp's convert_hf_to_gguf.py: the halves of a head become neighbours."""
    width = rows.shape[0] // heads
    return rows.reshape(heads, 2, width // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def divisors(config) -> np.ndarray:
    """rope_freqs of llama.cpp's convert_hf_to_gguf.py."""
    rope, width = config.rope_parameters, config.hidden_size // config.num_attention_heads
    low = rope["original_max_position_embeddings"] / rope["low_freq_factor"]
    high = rope["original_max_position_embeddings"] / rope["high_freq_factor"]
    found = []
    for k in range(0, width, 2):
        length = 2 * math.pi * rope["rope_theta"] ** (k / width)
        if length < high:
            found.append(1)
        elif length > low:
            found.append(rope["factor"])
        else:
            smooth = (rope["original_max_position_embeddings"] / length - rope["low_freq_factor"]) / (
                rope["high_freq_factor"] - rope["low_freq_factor"]
            )
            found.append(1 / ((1 - smooth) / rope["factor"] + smooth))
    return np.array(found, np.float32)


def save_gguf(folder: pathlib.Path, config) -> None:
    """As llama.cpp's convert_hf_to_gguf.py does it, of what is in the folder's files."""
    family = {"mixtral": "llama", "qwen2_moe": "qwen2moe", "qwen3_moe": "qwen3moe"}.get(config.model_type, config.model_type)
    writer = gguf.GGUFWriter(folder / "model.gguf", family)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    if family == "gpt2":
        writer.add_feed_forward_length(4 * config.hidden_size)
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
    else:
        writer.add_feed_forward_length(config.intermediate_size)
        writer.add_head_count_kv(config.num_key_value_heads)
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    if family.startswith("qwen3"):
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)
    if hasattr(config, "num_experts_per_tok"):
        writer.add_expert_count(getattr(config, "num_experts", None) or config.num_local_experts)
        writer.add_expert_used_count(config.num_experts_per_tok)
    if hasattr(config, "moe_intermediate_size"):
        writer.add_expert_feed_forward_length(config.moe_intermediate_size)
    if hasattr(config, "shared_expert_intermediate_size"):
        writer.add_expert_shared_feed_forward_length(config.shared_expert_intermediate_size)
    described = json.loads(tokenizer().to_str())["model"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(list(described["vocab"]))
    writer.add_token_types([3, 3] + [1] * (len(described["vocab"]) - 2))
    writer.add_token_merges([" ".join(pair) for pair in described["merges"]])
    writer.add_eos_token_id(1)
    experts = {}
    for name, weight in sorted(stored(folder).items()):
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        part, leaf = name.rsplit(".", 1)
        of_block = re.match(r"(?:model\.layers|transformer\.h)\.(\d+)\.(.*)", part)
        own = of_block[2] if of_block else part
        expert = re.match(r"(.*\.experts)\.(\d+)\.(.*)", own)
        theirs = NAMES[f"{expert[1]}.{expert[3]}" if expert else own]
        target = f"{f'blk.{of_block[1]}.' if of_block else ''}{theirs}.{leaf}"
        rows = weight.float().numpy()
        if family == "llama" and theirs in ("attn_q", "attn_k"):
            rows = neighbours(rows, config.num_attention_heads if theirs == "attn_q" else config.num_key_value_heads)
        if family == "gpt2" and of_block and rows.ndim == 2:
            rows = rows.T
        if expert:
            experts.setdefault(target, {})[int(expert[2])] = rows
        else:
            writer.add_tensor(target, np.ascontiguousarray(rows))
    for target, matrices in experts.items():
        writer.add_tensor(target, np.stack([matrices[k] for k in sorted(matrices)]))
    if family != "gpt2" and config.rope_parameters["rope_type"] == "llama3":
        writer.add_tensor("rope_freqs.weight", divisors(config))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def stored(folder: pathlib.Path) -> dict:
    """The tensors of a folder's files, by their names there."""
    found = {}
    for file in folder.glob("*.safetensors"):
        found.update(safetensors.torch.load_file(file))
    return found


def characters() -> dict:
    """A small model of SentencePiece as a GGUF file has it, and what it makes of some texts."""
    made = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(pathlib.Path(__file__).read_text().splitlines()),
        model_writer=made,
        model_type="bpe",
        vocab_size=420,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        minloglevel=2,
    )
    model = sentencepiece.SentencePieceProcessor(model_proto=made.getvalue())
    ids = range(model.vocab_size())
    kinds = [2 if model.is_unknown(k) else 3 if model.is_control(k) else 6 if model.is_byte(k) else 1 for k in ids]
    texts = ["import json", "a folder  of\ttransformers: the model", " begins with a space", "naïve 日本 🙂", "tokens.\n\nTokens"]
    return {
        "tokens": [model.id_to_piece(k) for k in ids],
        "scores": [model.get_score(k) for k in ids],
        "types": kinds,
        "texts": [{"text": text, "ids": model.encode(text)} for text in texts],
    }


def blocks() -> dict:
    """Random bytes as blocks of every format, the scales among them finite and small."""
    random = np.random.default_rng(7)
    scales = {
        "Q4_0": [0],
        "Q4_1": [0, 2],
        "Q8_0": [0],
        "Q4_K": [0, 2],
        "Q6_K": [208],
        "F16": [0],
        "BF16": [],
        "F32": [],
        "Q5_0": [0],
        "Q5_1": [0, 2],
        "Q5_K": [0, 2],
    }
    made = {}
    for name, places in scales.items():
        kind = gguf.GGMLQuantizationType[name]
        _, size = gguf.GGML_QUANT_SIZES[kind]
        rows = random.integers(0, 256, (3, size), dtype=np.uint8)
        if name in ("BF16", "F32"):
            rows = random.normal(size=3).astype(np.float32).view(np.uint8).reshape(3, 4)[:, -size:].copy()
        for place in places:
            rows[:, place : place + 2] = random.normal(size=3).astype(np.float16).view(np.uint8).reshape(3, 2)
        numbers = gguf.quants.dequantize(rows, kind).reshape(-1)
        made[name] = {"bytes": rows.tobytes().hex(), "numbers": [float(x) for x in numbers]}
    return made


if __name__ == "__main__":
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for seed, (name, case) in enumerate(CASES.items()):
        save(out / name, seed, *case)
    for seed, (name, case) in enumerate(IN_GGUF.items()):
        if name not in CASES:
            save(out / name, seed, *case)
        save_gguf(out / name, case[1])
        if name not in CASES:
            for file in ("config.json", "tokenizer.json", "model.safetensors"):
                (out / name / file).unlink()
    (out / "sentencepiece.json").write_text(json.dumps(characters()))
    (out / "blocks.json").write_text(json.dumps(blocks()))
