import { add, type Graph, graph, input, max, reshape, type Tensor, type TensorType } from "@finegrain/graph";
import { type CacheTree, type LanguageModel, leaves, mapTree, type Storage, traceWeights } from "@finegrain/nn";
import { drawToken } from "./draw-token.ts";
import type { DrawKind } from "./sampling.ts";

export interface DecodeShape {
  /** Tokens that one run takes. */
  readonly tokens: number;
  /** Tokens that the caches have room for. */
  readonly capacity: number;
  /** Default "float32". */
  readonly storage?: Storage;
}

/** A graph, and which inputs its runs spend for which outputs. */
export interface DonatingGraph {
  readonly graph: Graph;
  readonly donate: readonly (readonly [input: number, output: number])[];
}

/** Types of a model's caches, in the order in which its decode graph takes them. */
export const cacheTypes = (model: LanguageModel, capacity: number): TensorType[] =>
  leaves<TensorType>(model.caches(1, capacity)).map(([, type]) => type);

const tensors = (tree: Parameters<typeof leaves<Tensor>>[0]): Tensor[] =>
  leaves<Tensor>(tree).map(([, tensor]) => tensor);

/** (params as they are stored, caches, tokens int32 [1, n], position int32 []) -> (caches, logits float32 [1, vocabulary]), the caches donated. */
export function decodeGraph(model: LanguageModel, shape: DecodeShape): DonatingGraph {
  const { tokens, capacity } = shape;
  const { params, before, after, ids, position, logits } = decoding(model, shape);
  const decode = graph({
    name: `decode of ${tokens} at ${capacity}`,
    inputs: [...params, ...before, ids, position],
    outputs: [...after, logits],
  });
  return { graph: decode, donate: before.map((_, i) => [params.length + i, i] as const) };
}

/**
 * A step that writes: it takes what the step before it made, so that nothing comes or goes between them.
 *
 *   (params, caches, position int32 [], token int32 [1, 1], and `drawNumbers` where it is not greedy)
 *   -> (caches, position + 1, the next token int32 [1, 1], see `drawToken`)
 *
 * The caches and the position are donated. The token is not, since it is also read. A token below 0, which is no token, is taken as 0: by the
 * time it is known, the next step has been asked for.
 */
export function writeGraph(model: LanguageModel, kind: DrawKind, shape: Omit<DecodeShape, "tokens">): DonatingGraph {
  const { params, before, after, ids, position, logits } = decoding(model, { ...shape, tokens: 1 }, (ids) =>
    max(ids, 0),
  );
  const [key, settings] = [input([2], "int32", "key"), input([2], "float32", "settings")];
  const token = drawToken(reshape(logits, [model.config.vocabulary]), kind, { key, settings, position });
  const write = graph({
    name: `write at ${shape.capacity}`,
    inputs: [...params, ...before, position, ids, ...(kind.greedy ? [] : [key, settings])],
    outputs: [...after, add(position, 1), reshape(token, [1, 1])],
  });
  return { graph: write, donate: [...before, position].map((_, i) => [params.length + i, i] as const) };
}

/** @param known makes the ids that are looked up of those that are given. */
function decoding(
  model: LanguageModel,
  { tokens, capacity, storage = "float32" }: DecodeShape,
  known = (ids: Tensor): Tensor => ids,
) {
  const { weights, inputs: params } = traceWeights(model.params, storage);
  const types: CacheTree = model.caches(1, capacity);
  const caches = mapTree<TensorType, Tensor>(types, ({ shape, dtype }, path) => input(shape, dtype, path));
  const [ids, position] = [input([1, tokens], "int32", "tokens"), input([], "int32", "position")];
  const next = model.decode(weights, known(ids), caches, position);
  return { params, before: tensors(caches), after: tensors(next.caches), ids, position, logits: next.logits };
}
