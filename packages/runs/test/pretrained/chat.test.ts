import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ChatMessage } from "@finegrain/generate";
import { referenceBackend } from "@finegrain/graph";
import { afterEach, beforeEach, expect, test } from "vitest";
import { importPretrained, openPretrained, openRun, type Run } from "../../src/index.ts";

const llama = fileURLToPath(new URL("./cases/llama", import.meta.url));
const TEMPLATE =
  "{% for message in messages %}{{ bos_token + message.role + ': ' + message.content + eos_token }}{% endfor %}";
const question: ChatMessage = { role: "user", content: "the end?" };

let model: string;
beforeEach(async () => {
  model = await mkdtemp(join(tmpdir(), "finegrain-chat-"));
  await cp(llama, model, { recursive: true });
});
afterEach(() => rm(model, { recursive: true }));
const put = (name: string, content: unknown) => writeFile(join(model, name), JSON.stringify(content));

async function answer(run: Run, prompt: string | readonly ChatMessage[]): Promise<number[]> {
  const ids: number[] = [];
  const options = { maxTokens: 4, temperature: 0, endTokens: [] };
  for await (const { token } of run.generate(prompt, options)) ids.push(token!); // nothing aborts it
  return ids;
}

test("a conversation is answered by the model's template, which puts the beginning of a text where it belongs", async () => {
  await put("tokenizer_config.json", { chat_template: TEMPLATE, add_bos_token: true });
  await using run = await openRun(model, { backend: referenceBackend() });
  const answered = await answer(run, [question]);
  // A text has the beginning put before it.
  expect(answered).toEqual(await answer(run, "user: the end?</s>"));
  expect(answered).not.toEqual(await answer(run, "the end?"));

  const out = join(model, "run");
  await importPretrained(model, { out });
  await using imported = await openRun(out, { backend: referenceBackend() });
  expect(await answer(imported, [question])).toEqual(answered);
});

test("a template is a file, the only one of a config, or the default of several", async () => {
  const template = async () => (await openPretrained(model)).chatTemplate;
  expect(await template()).toBeUndefined();
  const several = [
    { name: "tools", template: "x" },
    { name: "default", template: TEMPLATE },
  ];
  await put("tokenizer_config.json", { chat_template: several });
  expect(await template()).toBe(TEMPLATE);
  await put("tokenizer_config.json", { chat_template: null });
  expect(await template()).toBeUndefined();
  await put("tokenizer_config.json", { chat_template: 5 });
  await expect(template()).rejects.toThrow("chat_template must be a text or a list of them, not 5");
  await writeFile(join(model, "chat_template.jinja"), "of its own file");
  expect(await template()).toBe("of its own file");
});

test("a model without a template answers nobody", async () => {
  await using run = await openRun(model, { backend: referenceBackend() });
  await expect(answer(run, [question])).rejects.toThrow(
    `${model} has no chat template: give its model a text to go on from`,
  );
});
