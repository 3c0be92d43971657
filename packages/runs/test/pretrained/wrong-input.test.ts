import { cp, mkdir, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FinegrainError, referenceBackend } from "@finegrain/graph";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openPretrained, openRun } from "../../src/index.ts";

const cases = fileURLToPath(new URL("./cases", import.meta.url));
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "finegrain-pretrained-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** One sentence, without a line's end. */
async function refused(path: string, says: RegExp | string): Promise<void> {
  const error = await openPretrained(path).then(
    () => expect.unreachable(),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(FinegrainError);
  expect((error as Error).message).toMatch(says);
  expect((error as Error).message).not.toContain("\n");
}

/** Change a JSON file of the folder. */
async function edit(name: string, change: (value: Record<string, object>) => void): Promise<void> {
  const path = join(folder, name);
  const value = JSON.parse(await readFile(path, "utf8"));
  change(value);
  await writeFile(path, JSON.stringify(value));
}

describe("a folder of transformers", () => {
  const shards = () => cp(join(cases, "llama3"), folder, { recursive: true });
  const single = () => cp(join(cases, "llama"), folder, { recursive: true });

  test("a shard that is cut short", async () => {
    await shards();
    await truncate(join(folder, "model-00002-of-00004.safetensors"), 9000);
    await refused(folder, /model-00002-of-00004\.safetensors is cut short: expected \d+ bytes, found 9000/);
  });

  test("an index that names a file which is not there", async () => {
    await shards();
    await rm(join(folder, "model-00003-of-00004.safetensors"));
    await refused(folder, /model-00003-of-00004\.safetensors is missing/);
  });

  test("an index that names a tensor which its file lacks", async () => {
    await shards();
    await edit("model.safetensors.index.json", ({ weight_map }) =>
      Object.assign(weight_map!, { "model.norm.weight": "model-00001-of-00004.safetensors" }),
    );
    await refused(folder, /has the tensor "model\.norm\.weight" in model-00001-of-00004\.safetensors, which lacks it/);
  });

  test("an index that leaves the folder", async () => {
    await shards();
    await edit("model.safetensors.index.json", ({ weight_map }) =>
      Object.assign(weight_map!, { "model.norm.weight": "../other.safetensors" }),
    );
    await refused(folder, /"model\.norm\.weight" is in "\.\.\/other\.safetensors", which is no file beside it/);
  });

  test("weights in another dtype", async () => {
    await single();
    const path = join(folder, "model.safetensors");
    const bytes = await readFile(path, "latin1");
    await writeFile(path, bytes.replace('"F32"', '"I32"'), "latin1");
    await refused(folder, /stored as I32, which weights cannot be: only F32, F16, BF16 can/);
  });

  test("a tokenizer of more tokens than the model has", async () => {
    await single();
    await edit("tokenizer.json", ({ model }) => Object.assign((model as { vocab: object }).vocab, { extra: 900 }));
    await refused(folder, /the tokenizer .*tokenizer\.json has 901 tokens, more than the model's vocabulary of 265/);
  });

  test("no tokenizer", async () => {
    await single();
    await rm(join(folder, "tokenizer.json"));
    await refused(folder, /tokenizer\.json is missing: a model is opened with its tokenizer/);
  });

  test("no weights", async () => {
    await single();
    await rm(join(folder, "model.safetensors"));
    await refused(folder, /model\.safetensors is missing/);
  });

  test.each<[Record<string, unknown>, RegExp]>([
    [{ hidden_size: undefined }, /config\.json has no hidden_size, which has to be a whole number above 0/],
    [{ rms_norm_eps: undefined }, /config\.json has no rms_norm_eps, which has to be a number above 0/],
    [{ num_hidden_layers: "2" }, /num_hidden_layers must be a whole number above 0, not "2"/],
    [
      { model_type: "gpt_bigcode" },
      /the architecture "gpt_bigcode" is not known: known are llama, mistral, qwen2, qwen3/,
    ],
    [{ hidden_act: "gelu" }, /hidden_act "gelu" is not known: only silu is/],
    [{ mlp_bias: true }, /mlp_bias is not known/],
    [{ eos_token_id: "</s>" }, /eos_token_id must be a token or a list of tokens, not "<\/s>"/],
    [{ rope_parameters: undefined, rope_scaling: { type: "yarn" } }, /the rope scaling "yarn" is not known/],
    [{ rope_parameters: { rope_type: "llama3", factor: 8 } }, /config\.json has no low_freq_factor/],
    [{ rope_parameters: [1] }, /rope_parameters must be a JSON object/],
    [{ partial_rotary_factor: 0.5 }, /a partial_rotary_factor is not known/],
    [{ num_key_value_heads: 3 }, /heads 4 is not a multiple of attention\.kvHeads 3/],
    [
      { num_hidden_layers: 3 },
      /does not fit the model's \d+ tensors: 9 missing \("model\.layers\.2\..*, and 6 more\)$/,
    ],
    [{ num_hidden_layers: 1e9 }, /is said to have 1000000000 layers, and has \d+ tensors/],
    [{ num_hidden_layers: 1 }, /does not fit the model's \d+ tensors: 9 unexpected \("model\.layers\.1\./],
    [
      { intermediate_size: 40 },
      /"model\.layers\.0\.mlp\.\w+\.weight" is float32\[\d+,\d+\], expected float32\[\d+,\d+\]/,
    ],
    [{ tie_word_embeddings: false }, /1 missing \("lm_head\.weight" float32\[265,32\]\)/],
  ])("a config with %j", async (fields, says) => {
    await single();
    await edit("config.json", (config) => Object.assign(config, fields));
    await refused(folder, says);
  });
});

test.each<[string, Record<string, unknown>, RegExp]>([
  ["qwen3_moe", { mlp_only_layers: [1] }, /layers of which only some have experts are not known/],
  ["qwen3_moe", { decoder_sparse_step: 2 }, /layers of which only some have experts are not known/],
  ["qwen2_moe", { num_experts: undefined }, /config\.json has no num_experts, which has to be a whole number above 0/],
  ["qwen2_moe", { num_experts_per_tok: 9 }, /k 9 is more than feedForward\.experts 4/],
  ["qwen2_moe", { num_experts: 3 }, /unexpected \("model\.layers\.0\.mlp\.experts\.3\./],
  ["olmoe", { num_experts: 1e9 }, /is said to have 1000000000 experts a layer, and has \d+ numbers in all/],
  ["olmoe", { clip_qkv: 8 }, /clip_qkv is not known/],
  [
    "gpt2",
    { activation_function: "tanh" },
    /activation_function "tanh" is not known: known are relu, gelu, gelu_new, silu/,
  ],
  ["gpt2", { scale_attn_by_inverse_layer_idx: true }, /attention that is scaled by another number .* is not known/],
  ["gpt2", { n_embd: 30 }, /dModel 30 is not a multiple of heads 4/],
])("a folder of %s with %j", async (name, fields, says) => {
  await cp(join(cases, name), folder, { recursive: true });
  await edit("config.json", (config) => Object.assign(config, fields));
  await refused(folder, says);
});

describe("a GGUF file", () => {
  const path = () => join(folder, "model.gguf");
  const original = readFile(join(cases, "llama/model.gguf"));
  const changed = async (change: (bytes: Buffer) => Uint8Array | undefined) => {
    const bytes = Buffer.from(await original);
    await writeFile(path(), change(bytes) ?? bytes);
    return path();
  };
  /** The bytes with the value of the metadata `name` and what follows it changed. */
  const behind = (bytes: Buffer, name: string, write: (at: number) => void) =>
    void write(bytes.indexOf(name) + name.length);

  test("a newer version", async () => {
    await refused(
      await changed((bytes) => void bytes.writeUInt32LE(4, 4)),
      /model\.gguf is a GGUF file of version 4, which is not known: known are 2 and 3$/,
    );
  });

  test("another kind of file", async () => {
    await refused(
      await changed((bytes) => void bytes.write("GGML", 0)),
      /is no GGUF file: it does not begin with "GGUF"/,
    );
    await refused(await changed(() => Buffer.alloc(2)), /is no GGUF file/);
  });

  test.each([20, 200, 5000])("one that ends after %d bytes, within its head", async (length) => {
    await refused(
      await changed((bytes) => bytes.subarray(0, length)),
      /is cut short: its \d+ bytes end within the head/,
    );
  });

  test("one that ends within its tensors", async () => {
    await refused(
      await changed((bytes) => bytes.subarray(0, bytes.length - 1000)),
      /is cut short: its tensor "[\w.]+" ends at byte \d+ of \d+$/,
    );
  });

  test("an architecture that is not known", async () => {
    const wrong = await changed((bytes) =>
      behind(bytes, "general.architecture", (at) => bytes.write("lambs", at + 12)),
    );
    await refused(wrong, /the architecture "lambs" is not known: known are/);
  });

  test("a tensor of a format that cannot be read", async () => {
    // A matrix's name, its number of axes, two extents, its type.
    const wrong = await changed((bytes) =>
      behind(bytes, "token_embd.weight", (at) => void bytes.writeUInt32LE(10, at + 4 + 16)),
    );
    await refused(wrong, /tensor "token_embd\.weight" is stored as Q2_K, which cannot be read: only F32, F16, .* can/);
    const unknown = await changed((bytes) =>
      behind(bytes, "token_embd.weight", (at) => void bytes.writeUInt32LE(99, at + 4 + 16)),
    );
    await refused(unknown, /is stored as type 99, which cannot be read/);
  });

  test("a row that is no whole blocks", async () => {
    const wrong = await changed((bytes) =>
      behind(bytes, "blk.0.ffn_down.weight", (at) => void bytes.writeUInt32LE(2, at + 4 + 16)),
    );
    await refused(wrong, /rows of tensor "blk\.0\.ffn_down\.weight" \[32,48\] are no whole blocks of Q4_0/);
  });

  test("more tensors than a file can have", async () => {
    await refused(await changed((bytes) => void bytes.writeBigUInt64LE(2n ** 50n, 8)), /it would have \d+ tensors/);
  });

  test("rates of a scaling that is not known", async () => {
    const bytes = Buffer.from(await readFile(join(cases, "llama31/model.gguf")));
    // The divisors 1 and 8 are beside each other, as float32.
    const divisors = Buffer.alloc(4);
    divisors.writeFloatLE(8);
    bytes.writeFloatLE(7, bytes.lastIndexOf(divisors));
    await writeFile(path(), bytes);
    await refused(path(), /tensor "rope_freqs\.weight" has rates of a rope scaling that is not known/);
  });

  test("no file", async () => {
    await refused(
      join(folder, "none"),
      /there is no model at .*none: neither a folder of transformers nor a GGUF file/,
    );
    await expect(openRun(path(), { backend: referenceBackend() })).rejects.toThrow("there is no model at");
  });

  test("any bytes, and any change of a few, are opened or refused in one sentence", async () => {
    const bytes = await original;
    const change = fc.record({ at: fc.nat(bytes.length - 1), to: fc.uint8Array({ minLength: 1, maxLength: 8 }) });
    // Most of the file is weights, which may be anything.
    const early = fc.record({ at: fc.nat(400), to: fc.uint8Array({ minLength: 1, maxLength: 8 }) });
    const changes = fc.array(fc.oneof(early, change), { minLength: 1, maxLength: 4 });
    const file = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((rest) => Buffer.concat([bytes.subarray(0, 8), rest])),
      fc.nat(bytes.length).map((length) => bytes.subarray(0, length)),
      changes.map((some) => {
        const copy = Buffer.from(bytes);
        for (const { at, to } of some) copy.set(to.subarray(0, copy.length - at), at);
        return copy;
      }),
    );
    await fc.assert(
      fc.asyncProperty(file, async (content) => {
        await writeFile(path(), content);
        try {
          await (await openPretrained(path())).weights();
        } catch (error) {
          if (!(error instanceof FinegrainError)) throw error;
        }
      }),
      { numRuns: 300, interruptAfterTimeLimit: 15_000 },
    );
  });
});

test("an empty folder is neither a model nor a run", async () => {
  await mkdir(join(folder, "empty"));
  await refused(join(folder, "empty"), /config\.json is missing/);
  await expect(openRun(join(folder, "empty"), { backend: referenceBackend() })).rejects.toThrow("no checkpoint in");
});
