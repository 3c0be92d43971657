import { byteTokenizer, createGenerator } from "@finegrain/generate";
import { referenceBackend } from "@finegrain/graph";
import { initialize, type ModelConfig, scalingLM, writeSafetensors } from "@finegrain/nn";
import { expect, test } from "vitest";
import { generate } from "../examples/generate-in-a-worker/page.ts";

const config: ModelConfig = { vocabulary: 256, dModel: 16, dFf: 32, layers: 1, heads: 2, maxLength: 64 };
const model = scalingLM(config);
const initial = initialize(model.params, 1);
const weights = writeSafetensors(initial);
const prompt = "It is ";
const maxTokens = 12;

test("a model writes in a worker of a page what the reference writes", async () => {
  const tokenizer = byteTokenizer();
  await using generator = await createGenerator({ backend: referenceBackend(), model, weights: initial });
  const expected: string[] = [];
  const written = generator.generate(tokenizer.encode(prompt), { tokenizer, maxTokens, temperature: 0 });
  for await (const { text } of written) expected.push(text);

  const pieces: string[] = [];
  await generate({ config, weights, prompt, maxTokens, temperature: 0 }, (text) => pieces.push(text));
  expect(pieces).toEqual(expected);
});

test("what goes wrong in the worker is an error of the page", async () => {
  const wrong = { ...config, heads: 3 };
  await expect(generate({ config: wrong, weights, prompt, maxTokens }, () => {})).rejects.toThrow(
    "model config: dModel 16 is not a multiple of heads 3",
  );
});
