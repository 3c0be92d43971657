import { referenceBackend } from "@finegrain/graph";
import { initialize, type ModelConfig, scalingLM } from "@finegrain/nn";
import { expect, test } from "vitest";
import { forward } from "../test/full-pass.ts";
import { createGenerator } from "./generator.ts";
import type { Generated, GenerateOptions } from "./shown.ts";
import { slideOf, windowStart } from "./sliding.ts";
import { byteTokenizer } from "./tokenizer/index.ts";

const config: ModelConfig = { vocabulary: 24, dModel: 8, dFf: 16, layers: 1, heads: 2, maxLength: 10 };
const model = scalingLM(config);
const weights = initialize(model.params, 5);
const prompt = Int32Array.from({ length: 27 }, (_, i) => (i * i + 3) % config.vocabulary);

async function written(tokens: Int32Array, options: Omit<GenerateOptions, "tokenizer">): Promise<Generated[]> {
  await using generator = await createGenerator({ backend: referenceBackend(), model, weights });
  const all: Generated[] = [];
  for await (const one of generator.generate(tokens, { ...options, tokenizer: byteTokenizer() })) all.push(one);
  return all;
}

test.each([1, 2, 7, 10])(
  "with a context of %i a token is drawn from its window as if the text began there",
  async (context) => {
    const text = [...prompt];
    for (const { token } of await written(prompt, { context, temperature: 0, maxTokens: 23 })) {
      const window = Int32Array.from(text.slice(windowStart(text.length, context)));
      expect(window.length).toBeLessThanOrEqual(context);
      expect(window.length).toBeGreaterThan(context - slideOf(context));
      const logits = forward(model, weights, window).at(-1)!;
      expect(token).toBe(logits.indexOf(Math.max(...logits)));
      text.push(token!);
    }
    expect(text.length).toBe(prompt.length + 23);
  },
);

test("what is drawn depends on the text before it, not on where the prompt ended; and windows draw apart", async () => {
  const options = { context: 10, seed: 4, temperature: 3 };
  const whole = (await written(prompt, { ...options, maxTokens: 30 })).map(({ token }) => token);
  for (const known of [1, 4, 14]) {
    const longer = Int32Array.from([...prompt, ...whole.slice(0, known)]);
    const rest = await written(longer, { ...options, maxTokens: 30 - known });
    expect(rest.map(({ token }) => token)).toEqual(whole.slice(known));
    expect(rest.at(-1)!.end).toBe("maxTokens");
  }
  expect(whole.slice(10, 15)).not.toEqual(whole.slice(15, 20));
});

test("without a context a text ends with the model's, and a longer prompt is told how to go on", async () => {
  expect((await written(prompt.subarray(0, 8), { maxTokens: 30 })).at(-1)!.end).toBe("context");
  await expect(written(prompt, { maxTokens: 1 })).rejects.toThrow(
    /27 tokens, .* context of 10: a window can slide over it/,
  );
  await expect(written(prompt, { maxTokens: 1, context: 11 })).rejects.toThrow(/from 1 to the model's 10, not 11/);
});
