import {
  evaluate,
  graph,
  type HostTensor,
  hostTensor,
  input,
  size,
  type Tensor,
  type TensorType,
} from "@finegrain/graph";
import { describe, expect, test } from "vitest";
import { evaluation, initialize, leaves, type ModelConfig, mapParams, mapTree, scalingLM } from "../src/index.ts";

const base: ModelConfig = { vocabulary: 12, dModel: 8, dFf: 16, layers: 2, heads: 2, maxLength: 16 };
const tokens = [3, 1, 4, 1, 5, 9];

const zeros = ({ dtype, shape }: TensorType): HostTensor => hostTensor(dtype, shape, new Uint8Array(size(shape)));

/** Logits after every chunk of `chunks` tokens, decoded with caches. */
function decoded(config: ModelConfig, chunks: readonly number[]): number[][] {
  const model = scalingLM(config);
  const values = [...initialize(model.params, 5).values()];
  const types = leaves<TensorType>(model.caches(1, 8));
  let caches = types.map(([, type]) => zeros(type));
  let position = 0;
  return chunks.map((length) => {
    const inputs: Tensor[] = [];
    const fresh = (type: TensorType) => {
      const x = input(type.shape, type.dtype);
      inputs.push(x);
      return x;
    };
    const w = mapParams(model.params, ({ shape }) => fresh({ dtype: "float32", shape }));
    const c = mapTree<TensorType, Tensor>(model.caches(1, 8), fresh);
    const ids = fresh({ dtype: "int32", shape: [1, length] });
    const at = fresh({ dtype: "int32", shape: [] });
    const step = model.decode(w, ids, c, at);
    const next = leaves<Tensor>(step.caches);
    expect(next.map(([path]) => path).sort()).toEqual(types.map(([path]) => path).sort());
    const ordered = types.map(([path]) => new Map(next).get(path)!);
    const results = evaluate(graph({ name: "decode", inputs, outputs: [step.logits, ...ordered] }), [
      ...values,
      ...caches,
      hostTensor("int32", [1, length], tokens.slice(position, position + length)),
      hostTensor("int32", [], [position]),
    ]);
    caches = results.slice(1);
    position += length;
    return [...results[0]!.data];
  });
}

/** Logits after every token, in one pass. */
function full(config: ModelConfig): number[][] {
  const model = scalingLM(config);
  const inputs: Tensor[] = [];
  const w = mapParams(model.params, ({ shape }) => {
    const x = input(shape);
    inputs.push(x);
    return x;
  });
  const ids = input([1, tokens.length], "int32");
  const [logits] = evaluate(graph({ inputs: [...inputs, ids], outputs: [model.logits(w, ids, evaluation)] }), [
    ...initialize(model.params, 5).values(),
    hostTensor("int32", [1, tokens.length], tokens),
  ]);
  const rows = [...logits!.data];
  return tokens.map((_, t) => rows.slice(t * config.vocabulary, (t + 1) * config.vocabulary));
}

const mc = { type: "multiplicative-convolutional", modules: 2 } as const;
const variants: Record<string, Partial<ModelConfig>> = {
  dense: {},
  "sinusoidal positions": { positions: "sinusoidal" },
  "rotary positions": { positions: "rotary" },
  "no positions": { positions: "none" },
  "RMSNorm, SwiGLU": { norm: "rms", activation: "swiglu" },
  sparse: { feedForward: { type: "sparse", blockSize: 4 } },
  "trax-sparse, multiplied": {
    feedForward: { type: "trax-sparse", blockSize: 4, rank: 3, multiplyByControllerOutput: true },
  },
  "block-sparse": { feedForward: { type: "block-sparse", experts: 4 } },
  switch: { feedForward: { type: "switch", experts: 4 } },
  "token choice, nothing dropped": { feedForward: { type: "token-choice", experts: 4, k: 2, capacityFactor: 4 } },
  "grouped, groups of one": { feedForward: { type: "grouped", experts: 4, groupSize: 1 } },
  "mixture of tokens, groups of one": { feedForward: { type: "mixture-of-tokens", experts: 4, groupSize: 1 } },
  "multiplicative attention": { attention: { type: "multiplicative", modules: 2 } },
  "multiplicative-modular attention": { attention: { type: "multiplicative-modular", modules: 2 } },
  "modular attention": { attention: { type: "modular", modules: 4, kernel: 3 } },
  "convolutional attention": { attention: { type: "convolutional", modules: 4, kernel: 3 } },
  "low-rank attention": { attention: { type: "low-rank", rank: 3 } },
  "multiplicative-convolutional attention": { attention: mc },
  "share-QK, one token": { attention: { ...mc, shareQK: true, lengthKernel: 1, output: "conv" } },
  "fixed values, convolution": { attention: { ...mc, values: "fixed", output: "conv" } },
  "original values, both outputs": { attention: { ...mc, values: "original", output: "multconv", lengthKernel: 2 } },
  "multiplicative output": { attention: { ...mc, output: "mult" } },
  "multiplicative loss": { loss: { type: "multiplicative", modules: 3 } },
  "low-rank loss": { loss: { type: "low-rank", rank: 3 } },
};

describe.each(Object.entries(variants))("%s", (_, variant) => {
  const config = { ...base, ...variant };
  const expected = full(config);
  const close = (actual: number[], row: number) =>
    actual.forEach((x, i) => {
      expect(x).toBeCloseTo(expected[row]![i]!, 8);
    });

  test("decoding token by token equals the full pass", () => {
    decoded(config, [1, 1, 1, 1, 1, 1]).forEach(close);
  });

  test("a prompt may come in chunks of any length", () => {
    const [prompt, next] = decoded(config, [5, 1]);
    close(prompt!, 4);
    close(next!, 5);
  });
});

describe("a routed layer decodes every token as a group of its own", () => {
  test.each([
    ["grouped", { type: "grouped", experts: 4, groupSize: 4 }],
    ["mixture-of-tokens", { type: "mixture-of-tokens", experts: 4, groupSize: 4, emit: "experts" }],
  ] as const)("%s", (_, feedForward) => {
    const alone = full({ ...base, feedForward: { ...feedForward, groupSize: 1 } });
    decoded({ ...base, feedForward }, [1, 1, 1, 1, 1, 1]).forEach((row, t) => {
      row.forEach((x, i) => {
        expect(x).toBeCloseTo(alone[t]![i]!, 8);
      });
    });
  });
});

test("expert choice decodes by the token's own best experts, as if every expert could take it", () => {
  // With as many experts a token as there are, choosing makes no difference: all take every token.
  const feedForward = { type: "expert-choice", experts: 4, capacityFactor: 4 } as const;
  const expected = full({ ...base, feedForward });
  decoded({ ...base, feedForward }, [1, 1, 1, 1, 1, 1]).forEach((row, t) => {
    row.forEach((x, i) => {
      expect(x).toBeCloseTo(expected[t]![i]!, 8);
    });
  });
});

test("a masked language model has no decode", () => {
  expect(() => decoded({ ...base, objective: "masked" }, [1])).toThrow("a masked language model has no decode");
});
