import { FinegrainError } from "@finegrain/graph";
import { expect, test } from "vitest";
import { type ChatMessage, chatPrompt } from "./chat.ts";

/** SmolLM2's. */
const SMOLLM2 =
  "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
/** Llama 2's, without what it says of a system's message. */
const LLAMA2 =
  "{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + message['content'].strip() + ' [/INST]' }}{% else %}{{ ' ' + message['content'].strip() + ' ' + eos_token }}{% endif %}{% endfor %}";

const question: ChatMessage = { role: "user", content: "What is the capital of France?" };

test("a template writes the prompt before the assistant's answer", async () => {
  expect(await chatPrompt(SMOLLM2, [question])).toBe(
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n",
  );
  expect(await chatPrompt(SMOLLM2, [{ role: "system", content: "Be short." }, question])).toBe(
    "<|im_start|>system\nBe short.<|im_end|>\n<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n",
  );
});

test("a template knows the texts of the tokens that begin and end one", async () => {
  const messages = [question, { role: "assistant", content: "Paris." }, { role: "user", content: "And of Italy?" }];
  expect(await chatPrompt(LLAMA2, messages, { begin: "<s>", end: "</s>" })).toBe(
    "<s>[INST] What is the capital of France? [/INST] Paris. </s><s>[INST] And of Italy? [/INST]",
  );
});

test.each([
  ["no messages", LLAMA2, [], "the conversation is empty: there is nothing to answer"],
  ["an order that the template refuses", LLAMA2, [question, question], "fails: Conversation roles must alternate"],
  ["a template that is none", "{% for %}", [question], "the model's chat template fails: "],
])("refuses %s", async (_, template, messages, sentence) => {
  const made = chatPrompt(template, messages);
  await expect(made).rejects.toThrow(FinegrainError);
  await expect(made).rejects.toThrow(sentence);
});
