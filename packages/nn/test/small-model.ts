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
import { expect } from "vitest";
import { evaluation, initialize, leaves, type ModelConfig, mapParams, mapTree, scalingLM } from "../src/index.ts";

/** Dimensions at which a model takes milliseconds. */
export const base: ModelConfig = { vocabulary: 12, dModel: 8, dFf: 16, layers: 2, heads: 2, maxLength: 16 };
export const tokens = [3, 1, 4, 1, 5, 9];

const zeros = ({ dtype, shape }: TensorType): HostTensor => hostTensor(dtype, shape, new Uint8Array(size(shape)));

/** Logits after every chunk of `chunks` tokens, decoded with caches. */
export function decoded(config: ModelConfig, chunks: readonly number[]): number[][] {
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
export function full(config: ModelConfig): number[][] {
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
