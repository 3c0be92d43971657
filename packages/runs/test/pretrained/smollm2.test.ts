// @module-tag smollm2

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type BackendName, openBackend } from "@finegrain/backends";
import { createGenerator } from "@finegrain/generate";
import { scalingLM, uploadWeights } from "@finegrain/nn";
import { createEvaluator, heldOutBatches } from "@finegrain/train";
import { expect, test } from "vitest";
import { openPretrained, openRun } from "../../src/index.ts";

/*
 * SmolLM2-135M-Instruct as its GGUF file of Q4_1 and Q8_0 has it, against what PyTorch computes: smollm2/README.md.
 * scripts/fetch-smollm2.sh fetches the file.
 */

const MODEL = fileURLToPath(
  new URL("../../../../node_modules/.cache/finegrain/smollm2-135m-instruct.gguf", import.meta.url),
);
interface Golden {
  readonly windows: readonly (readonly number[])[];
  readonly nll: readonly number[];
  readonly text: string;
  readonly prompt: readonly number[];
  readonly greedy: readonly number[];
  readonly greedyText: string;
}
const golden: Golden = JSON.parse(await readFile(new URL("./smollm2/windows.json", import.meta.url), "utf8"));

/** Others take minutes: FINEGRAIN_SMOLLM2_BACKENDS=webgpu,tfjs tries those. */
const { FINEGRAIN_SMOLLM2_BACKENDS: asked = "onnx,wasm" } = process.env;
const BACKENDS = asked.split(",") as BackendName[]; // which `openBackend` checks

/** Windows that are judged: each takes seconds. */
const WINDOWS = [0, 11, 23];

test("the tokenizer gives the ids of the original", async () => {
  const { tokenizer } = await openPretrained(MODEL);
  const ids = [...tokenizer.encode(golden.text)];
  expect(tokenizer.decode(ids)).toBe(golden.text);
  // The window begins and ends where tokens of a longer text do.
  expect(ids.slice(0, -3)).toEqual(golden.windows[0]!.slice(0, ids.length - 3));
  expect([...tokenizer.encode("The capital of France is")]).toEqual(golden.prompt);
  expect(tokenizer.decode(golden.greedy)).toBe(golden.greedyText);
});

test.each(BACKENDS)(
  "%s predicts the speeches and writes as PyTorch does",
  async (name) => {
    const { model: config, tokenizer, weights } = await openPretrained(MODEL);
    const model = scalingLM(config);
    await using backend = await openBackend({ name });
    const uploaded = uploadWeights(backend, model, await weights(), "float32");
    {
      await using evaluator = await createEvaluator({ backend, model });
      for (const i of WINDOWS) {
        const window = Int32Array.from(golden.windows[i]!);
        const { nats, tokens } = await evaluator.evaluate(uploaded, [
          ...heldOutBatches(window, { batch: 1, length: window.length - 1 }),
        ]);
        expect(tokens).toBe(256);
        expect(Math.abs(nats / golden.nll[i]! - 1)).toBeLessThan(1e-4);
      }
    }
    await using generator = await createGenerator({ backend, model, weights: uploaded });
    const ids: number[] = [];
    const options = { maxTokens: golden.greedy.length, temperature: 0, tokenizer };
    for await (const { token } of generator.generate(Int32Array.from(golden.prompt), options)) ids.push(token!);
    expect(ids).toEqual(golden.greedy);
    for (const buffer of uploaded.values()) buffer[Symbol.dispose]();
  },
  500_000,
);

test("a question is answered as PyTorch answers it, and the answer ends", { timeout: 120_000 }, async () => {
  await using backend = await openBackend({ name: "onnx" });
  await using run = await openRun(MODEL, { backend });
  const question = [{ role: "user", content: "What is the capital of France?" }];
  const ids: number[] = [];
  let text = "";
  for await (const { token, text: piece, end } of run.generate(question, { maxTokens: 40, temperature: 0 })) {
    ids.push(token!); // nothing aborts it
    text += piece;
    if (end !== undefined) expect(end).toBe("endToken");
  }
  expect(ids).toEqual([504, 3575, 282, 4649, 314, 7042, 30, 2]);
  expect(text).toBe("The capital of France is Paris.");
});
