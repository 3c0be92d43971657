import { evaluate, graph, hostTensor, input } from "@finegrain/graph";
import { describe, expect, test } from "vitest";
import {
  type Context,
  evaluation,
  initialize,
  type ModelConfig,
  modelOf,
  randomSource,
  traceWeights,
  training,
} from "../src/index.ts";
import { base, tokens } from "./small-model.ts";

const behindSource = (type: "transformer" | "terraformer"): ModelConfig => ({
  ...base,
  encoder: { type, layers: 1, maxLength: 3 },
});
const models: Record<string, ModelConfig> = {
  "a language model": base,
  "heads that share keys": { ...base, attention: { type: "dense", kvHeads: 1 } },
  "a masked model": { ...base, objective: "masked" },
  "hashed attention": { ...base, attention: { type: "lsh", chunk: 4, hashes: 1, buckets: 4 } },
  "multiplicative-convolutional attention": {
    ...base,
    attention: { type: "multiplicative-convolutional", modules: 2 },
  },
  "an encoder-decoder": behindSource("transformer"),
  "a Terraformer": behindSource("terraformer"),
};

/** Logits of a row of tokens; noise is decided by `seed`. */
function logits(config: ModelConfig, seed?: number): readonly number[] {
  const model = modelOf(config);
  const { weights, stored } = traceWeights(model.params, "float32");
  const [ids, key, counter] = [input([1, tokens.length], "int32"), input([2], "int32"), input([], "int32")];
  const context: Context = seed === undefined ? evaluation : training(randomSource(key, counter));
  const values = [
    ...initialize(model.params, 5).values(),
    hostTensor("int32", [1, tokens.length], tokens),
    hostTensor("int32", [2], [seed ?? 0, 1]),
    hostTensor("int32", [], [0]),
  ];
  const outputs = [model.logits(weights, ids, context)];
  return [...evaluate(graph({ inputs: [...Object.values(stored), ids, key, counter], outputs }), values)[0]!.data];
}

describe.each(Object.entries(models))("%s", (_, config) => {
  test.each(["dropout", "attentionDropout"] as const)("%s changes training by its draws, and no evaluation", (name) => {
    const dropping = { ...config, [name]: 0.5 };
    expect(logits(dropping)).toEqual(logits(config));
    expect(logits(dropping, 1)).toEqual(logits(dropping, 1));
    expect(logits(dropping, 1)).not.toEqual(logits(dropping, 2));
    // So rare that nothing is dropped: whatever else is in the way of it stays the same.
    for (const [i, value] of logits({ ...config, [name]: 1e-7 }, 1).entries())
      expect(value).toBeCloseTo(logits(config, 1)[i]!, 4);
  });
});
