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
import {
  evaluation,
  initialize,
  joinStreams,
  leaves,
  type ModelConfig,
  mapParams,
  mapTree,
  ofStreams,
  scalingLM,
} from "../src/index.ts";

/** Dimensions at which a model takes milliseconds. */
export const base: ModelConfig = { vocabulary: 12, dModel: 8, dFf: 16, layers: 2, heads: 2, maxLength: 16 };
export const tokens = [3, 1, 4, 1, 5, 9];

const zeros = ({ dtype, shape }: TensorType): HostTensor => hostTensor(dtype, shape, new Uint8Array(size(shape)));

/** A stream of text between two steps: its caches in the order of their paths, and the tokens in them. */
interface Written {
  readonly caches: readonly HostTensor[];
  readonly position: number;
}

/** A stream of nothing. */
export const nothing = (config: ModelConfig): Written => ({
  caches: leaves<TensorType>(scalingLM(config).caches(1, 8)).map(([, type]) => zeros(type)),
  position: 0,
});

/**
 * One step of streams, each with as many of its next `tokens`: its logits behind them, and the stream with them. One alone has a
 * position [], several have theirs, [batch].
 */
export function stepped(
  config: ModelConfig,
  streams: readonly Written[],
  length: number,
): { readonly logits: number[]; readonly next: Written }[] {
  const model = scalingLM(config);
  const batch = streams.length;
  const inputs: Tensor[] = [];
  const fresh = (type: TensorType) => {
    const x = input(type.shape, type.dtype);
    inputs.push(x);
    return x;
  };
  const w = mapParams(model.params, ({ shape }) => fresh({ dtype: "float32", shape }));
  const types = leaves<TensorType>(model.caches(1, 8));
  const own = streams.map(() => new Map(types.map(([path, type]) => [path, fresh(type)])));
  const ids = fresh({ dtype: "int32", shape: [batch, length] });
  const at = fresh({ dtype: "int32", shape: batch === 1 ? [] : [batch] });
  const caches = mapTree<TensorType, Tensor>(model.caches(1, 8), (_, path) =>
    joinStreams(own.map((caches) => caches.get(path)!)),
  );
  const step = model.decode(w, ids, caches, at);
  const next = leaves<Tensor>(step.caches);
  expect(next.map(([path]) => path).sort()).toEqual(types.map(([path]) => path).sort());
  const parts = new Map(next.map(([path, cache]) => [path, ofStreams(cache, batch)]));
  const ordered = streams.flatMap((_, i) => types.map(([path]) => parts.get(path)![i]!));
  const positions = streams.map(({ position }) => position);
  const results = evaluate(graph({ name: "decode", inputs, outputs: [step.logits, ...ordered] }), [
    ...initialize(model.params, 5).values(),
    ...streams.flatMap(({ caches }) => caches),
    hostTensor(
      "int32",
      ids.shape,
      positions.flatMap((position) => tokens.slice(position, position + length)),
    ),
    hostTensor("int32", at.shape, positions),
  ]);
  const logits = [...results[0]!.data];
  return streams.map(({ position }, i) => ({
    logits: logits.slice(i * config.vocabulary, (i + 1) * config.vocabulary),
    next: {
      caches: results.slice(1 + i * types.length, 1 + (i + 1) * types.length),
      position: position + length,
    },
  }));
}

/** Logits after every chunk of `chunks` tokens, decoded with caches. */
export function decoded(config: ModelConfig, chunks: readonly number[]): number[][] {
  let stream = nothing(config);
  return chunks.map((length) => {
    const [step] = stepped(config, [stream], length);
    stream = step!.next;
    return step!.logits;
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
