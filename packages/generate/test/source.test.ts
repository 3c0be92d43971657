import { evaluate, graph, hostTensor, input, referenceBackend, type Tensor } from "@finegrain/graph";
import { evaluation, initialize, type ModelConfig, mapParams, modelOf, type Params, type Weights } from "@finegrain/nn";
import { describe, expect, test } from "vitest";
import { createGenerator } from "../src/index.ts";

const base = { vocabulary: 24, dModel: 8, dFf: 16, layers: 2, heads: 2, maxLength: 80 } as const;
const configs: Record<string, ModelConfig> = {
  "a Terraformer": {
    ...base,
    attention: { type: "multiplicative-convolutional", modules: 2 },
    recurrence: { layers: 1, units: 3 },
    encoder: { type: "terraformer", layers: 1, maxLength: 90 },
  },
  "an encoder-decoder": { ...base, encoder: { type: "transformer", layers: 1, maxLength: 90 } },
};
const of = (length: number, step: number) => Int32Array.from({ length }, (_, i) => 1 + ((i * step) % 23));

describe.each(Object.entries(configs))("%s", (_, config) => {
  const model = modelOf(config);
  const weights = initialize(model.params, 7);

  /** Logits behind every token of a text, of one full pass. */
  function full(source: Int32Array, text: Int32Array): number[][] {
    const inputs: Tensor[] = [];
    const w = mapParams(model.params, ({ shape }) => {
      const x = input(shape);
      inputs.push(x);
      return x;
    }) as Weights<Params>;
    const row = new Int32Array(90 + text.length);
    row.set(source);
    row.set(text, 90);
    const ids = input([1, row.length], "int32");
    const [logits] = evaluate(graph({ inputs: [...inputs, ids], outputs: [model.logits(w, ids, evaluation)] }), [
      ...weights.values(),
      hostTensor("int32", [1, row.length], row),
    ]);
    const all = [...logits!.data];
    return [...text].map((_, t) => all.slice(t * base.vocabulary, (t + 1) * base.vocabulary));
  }

  test("a session decodes behind a source of any length as a full pass, in caches that grow", async () => {
    const [source, text] = [of(75, 5), of(70, 3)];
    const expected = full(source, text);
    await using generator = await createGenerator({ backend: referenceBackend(), model, weights });
    using session = generator.start(source);
    const close = (logits: Float32Array, t: number) =>
      logits.forEach((x, i) => {
        expect(x).toBeCloseTo(expected[t]![i]!, 4);
      });
    close(await session.prefill(text.subarray(0, 3)), 2);
    close(await session.prefill(text.subarray(3, 68)), 67);
    close(await session.step(text[68]!), 68);
    expect(session.position).toBe(69);
  });

  test("a source that is not there, empty, too long or not of the vocabulary is refused", async () => {
    await using generator = await createGenerator({ backend: referenceBackend(), model, weights });
    expect(() => generator.start()).toThrow("this model's texts follow a source");
    expect(() => generator.start(new Int32Array())).toThrow("this model's texts follow a source");
    expect(() => generator.start(of(91, 1))).toThrow("the source has 91 tokens, more than the 90");
    expect(() => generator.start(Int32Array.of(24))).toThrow("token 24 is outside the model's vocabulary of 24");
  });
});

test("a language model alone reads no source", async () => {
  const model = modelOf(base);
  const generator = createGenerator({ backend: referenceBackend(), model, weights: initialize(model.params, 1) });
  await using opened = await generator;
  expect(() => opened.start(of(3, 1))).toThrow("a language model without an encoder reads no source");
});
