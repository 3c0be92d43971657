import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { referenceBackend } from "@finegrain/graph";
import { afterEach, beforeEach, expect, test } from "vitest";
import { importPretrained, openPretrained, openRun } from "../../src/index.ts";
import { specialTokensOf } from "../../src/pretrained/gguf/tokenizer.ts";

const llama = fileURLToPath(new URL("./cases/llama", import.meta.url));
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "finegrain-special-"));
  await cp(llama, join(folder, "model"), { recursive: true });
});
afterEach(() => rm(folder, { recursive: true }));

/** Write JSON files beside the model's own, or change those. */
async function put(name: string, fields: object): Promise<void> {
  const path = join(folder, "model", name);
  const before = await readFile(path, "utf8").catch(() => "{}");
  await writeFile(path, JSON.stringify({ ...JSON.parse(before), ...fields }));
}
const tokens = async () => (await openPretrained(join(folder, "model"))).specialTokens;

test("a config says what ends a text, and generation_config.json says it better", async () => {
  expect(await tokens()).toEqual({ end: [1] });
  await put("generation_config.json", { eos_token_id: [1, 7] });
  expect(await tokens()).toEqual({ end: [1, 7] });
});

test("a text has a beginning where the tokenizer puts one there", async () => {
  const template = { type: "TemplateProcessing", single: [{ SpecialToken: { id: "<s>", type_id: 0 } }], pair: [] };
  await put("tokenizer.json", { post_processor: template });
  expect(await tokens()).toEqual({ begin: 0, end: [1] });
  await put("tokenizer.json", { post_processor: { type: "Sequence", processors: [{ type: "ByteLevel" }, template] } });
  expect(await tokens()).toEqual({ begin: 0, end: [1] });
  await put("tokenizer_config.json", { add_bos_token: false });
  expect(await tokens()).toEqual({ end: [1] });
});

const ids = { bos: 1, eos: 2 };
test.each([
  [{ model: "llama" }, { begin: 1, end: [2] }],
  [{ model: "llama", add_bos_token: false }, { end: [2] }],
  [
    { model: "gpt2", pre: "llama-bpe", eot_token_id: 9 },
    { begin: 1, end: [2, 9] },
  ],
  [{ model: "gpt2", pre: "smollm", eot_token_id: 2 }, { end: [2] }],
])("a GGUF file of %j", (fields, expected) => {
  const metadata = new Map<string, string | number | boolean>([
    ...Object.entries(ids).map(([name, id]) => [`tokenizer.ggml.${name}_token_id`, id] as const),
    ...Object.entries(fields).map(([name, value]) => [`tokenizer.ggml.${name}`, value] as const),
  ]);
  expect(specialTokensOf(metadata, "model.gguf")).toEqual(expected);
  expect(() => specialTokensOf(metadata.set("tokenizer.ggml.eos_token_id", -1), "model.gguf")).toThrow(
    "tokenizer.ggml.eos_token_id must be a token, not -1",
  );
});

test("a run begins and ends its texts with them, imported too", async () => {
  const path = join(folder, "model");
  const greedy = async (from: string) => {
    await using run = await openRun(from, { backend: referenceBackend() });
    const tokens: number[] = [];
    for await (const { token, end } of run.generate("the ", { maxTokens: 4, temperature: 0 })) {
      tokens.push(token!); // nothing aborts it
      if (end !== undefined) return { tokens, end };
    }
    return expect.unreachable();
  };
  const free = await greedy(path);
  expect(free.end).toBe("maxTokens");
  const end = free.tokens.at(-1)!;
  await put("config.json", { eos_token_id: end });
  const before = free.tokens.slice(0, free.tokens.indexOf(end) + 1);
  expect(await greedy(path)).toEqual({ tokens: before, end: "endToken" });

  await put("tokenizer_config.json", { add_bos_token: true });
  await put("config.json", { eos_token_id: null });
  const begun = await greedy(path);
  expect(begun.tokens).not.toEqual(free.tokens);
  await importPretrained(path, { out: join(folder, "run") });
  expect(await greedy(join(folder, "run"))).toEqual(begun);
});
