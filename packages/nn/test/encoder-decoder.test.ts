import {
  broadcastTo,
  evaluate,
  graph,
  type HostTensor,
  hostTensor,
  input,
  leaves,
  mapTree,
  scalar,
  slice,
  type Tensor,
  type TensorType,
  type Tree,
} from "@finegrain/graph";
import { describe, expect, test } from "vitest";
import {
  endingOf,
  evaluation,
  initialize,
  type ModelConfig,
  mapParams,
  modelOf,
  type Params,
  type Weights,
} from "../src/index.ts";
import { base } from "./small-model.ts";

const source = [3, 1, 4, 1, 5, 0, 0];
const length = source.indexOf(0);
const text = [0, 9, 2, 6, 5, 3];

const terraformer: ModelConfig = { ...base, encoder: { type: "terraformer", layers: 2, maxLength: source.length } };
const transformer: ModelConfig = { ...base, encoder: { type: "transformer", layers: 1, maxLength: source.length } };
const sparse: Partial<ModelConfig> = {
  feedForward: { type: "trax-sparse", blockSize: 4, rank: 3 },
  attention: { type: "multiplicative-convolutional", modules: 2 },
  loss: { type: "multiplicative", modules: 3 },
  recurrence: { layers: 1, units: 3 },
};

const variants: Record<string, ModelConfig> = {
  "a dense Terraformer": terraformer,
  "a sparse Terraformer, reversible as a whole, that forgets": {
    ...terraformer,
    ...sparse,
    layers: 3,
    encoder: { ...terraformer.encoder!, bothStreams: true, forgetEvery: 1 },
  },
  "a Terraformer with a causal encoder and digits for places": {
    ...terraformer,
    positions: { type: "fixed-base", digits: 4 },
    encoder: { ...terraformer.encoder!, textAttentions: 1, attention: sparse.attention! },
  },
  "a Terraformer of hashed attention, whose encoder attends in chunks": {
    ...terraformer,
    positions: "rotary",
    attention: { type: "lsh", chunk: 16, hashes: 1, buckets: 4 },
    encoder: { ...terraformer.encoder!, attention: { type: "lsh", chunk: 4, buckets: 4 } },
  },
  "an encoder-decoder by features": {
    ...transformer,
    attention: { type: "favor" },
    encoder: { ...transformer.encoder!, attention: { type: "favor" } },
  },
  "a dense encoder-decoder": transformer,
  "a sparse encoder-decoder": { ...transformer, ...sparse },
  "an encoder-decoder of experts that choose": { ...transformer, feedForward: { type: "expert-choice", experts: 4 } },
};

const zeros = (types: Tree<TensorType>): Tree<Tensor> =>
  mapTree<TensorType, Tensor>(types, ({ shape, dtype }) => broadcastTo(scalar(0, dtype), shape));

/** Logits behind every token of the text: of the full pass, and decoded behind a source that is read once, in two pieces. */
function bothWays(config: ModelConfig): { full: HostTensor; decoded: readonly HostTensor[] } {
  const model = modelOf(config);
  const inputs: Tensor[] = [];
  const w = mapParams(model.params, ({ shape }) => {
    const x = input(shape);
    inputs.push(x);
    return x;
  }) as Weights<Params>;
  const rows = input([1, source.length + text.length], "int32");
  const tokens = (start: number, end: number) => slice(rows, { starts: [0, start], ends: [1, end] });
  const reader = model.source!;
  const memory = reader.encode(w, tokens(0, source.length));
  let caches = zeros(model.caches(1, text.length, source.length));
  const at = (position: number) => scalar(position, "int32");
  if (reader.read)
    for (const [start, count] of [
      [0, 3],
      [3, length - 3],
    ] as const)
      ({ caches } = reader.read(w, memory, caches, at(start), count));
  const logits = text.map((_, t) => {
    const step = model.decode(w, tokens(source.length + t, source.length + t + 1), caches, at(t), memory);
    caches = step.caches;
    return step.logits;
  });
  // Experts have no other tokens to choose among where one is decoded.
  const outputs = [model.logits(w, rows, { ...evaluation, asDecoded: true }), ...logits];
  const values = [...initialize(model.params, 5).values()];
  const [full, ...decoded] = evaluate(graph({ inputs: [...inputs, rows], outputs }), [
    ...values,
    hostTensor("int32", rows.shape, [...source, ...text]),
  ]);
  return { full: full!, decoded };
}

describe.each(Object.entries(variants))("%s", (_, config) => {
  test("decoding token by token behind a source equals the full pass", () => {
    const { full, decoded } = bothWays(config);
    const { vocabulary } = config;
    expect(new Set(decoded.map(({ data }) => data[0])).size).toBe(text.length);
    for (const [t, { data }] of decoded.entries())
      data.forEach((x, i) => {
        expect(x).toBeCloseTo(full.data[t * vocabulary + i]!, 8);
      });
  });

  test("the memory and caches are of the types that the model says", () => {
    const model = modelOf(config);
    const w = mapParams(model.params, ({ shape }) => input(shape)) as Weights<Params>;
    const memory = model.source!.encode(w, input([1, 4], "int32"));
    const types = (tree: Tree<{ dtype: string; shape: readonly number[] }>) =>
      leaves(tree as Tree<TensorType>).map(([path, { dtype, shape }]) => [path, dtype, [...shape]]);
    expect(types(memory as never)).toEqual(types(model.source!.memory(1, 4) as never));
  });
});

test.each<[string, ModelConfig, string]>([
  [
    "an unknown encoder",
    { ...base, encoder: { ...terraformer.encoder!, type: "reader" as never } },
    "encoder.type must be one of transformer, terraformer",
  ],
  [
    "an unknown option of an encoder",
    { ...base, encoder: { ...terraformer.encoder!, depth: 3 } as never },
    'there is no "encoder.depth"',
  ],
  ["no blocks", { ...base, encoder: { ...terraformer.encoder!, layers: 0 } }, "encoder.layers"],
  [
    "an odd dModel",
    { ...terraformer, dModel: 9, heads: 3 },
    "the two streams of a reversible model have an even dModel, not 9",
  ],
  [
    "both streams of a transformer",
    { ...base, encoder: { ...transformer.encoder!, bothStreams: true } },
    "encoder.bothStreams is of a terraformer",
  ],
  ["a masked model", { ...terraformer, objective: "masked" }, "a masked language model has no encoder"],
  [
    "an unknown attention",
    { ...base, encoder: { ...terraformer.encoder!, attention: { type: "wide" } as never } },
    "attention.type must be one of",
  ],
])("%s is refused", (_, config, sentence) => {
  expect(() => modelOf(config)).toThrow(sentence);
});

test.each([terraformer, transformer])("a source that is too long is refused", (config) => {
  const model = modelOf(config);
  const w = mapParams(model.params, ({ shape }) => input(shape)) as Weights<Params>;
  expect(() => model.source!.encode(w, input([1, 8], "int32"))).toThrow(
    "a source of 8 tokens is longer than the encoder's maxLength of 7",
  );
});

test("groups in reversible blocks end their training without losses of their own", () => {
  const { config } = endingOf({ ...terraformer, feedForward: { type: "grouped", experts: 4, groupSize: 2 } })!;
  expect(config.feedForward).toMatchObject({ type: "token-choice", loadBalancing: 0, zLoss: 0 });
});
