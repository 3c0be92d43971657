import { type Graph, graph, input, type Tensor, type TensorType } from "@finegrain/graph";
import { type CacheTree, type LanguageModel, leaves, mapTree, type Storage, traceWeights } from "@finegrain/nn";

export interface DecodeShape {
  /** Tokens that one run takes. */
  readonly tokens: number;
  /** Tokens that the caches have room for. */
  readonly capacity: number;
  /** Default "float32". */
  readonly storage?: Storage;
}

/** Types of a model's caches, in the order in which its decode graph takes them. */
export const cacheTypes = (model: LanguageModel, capacity: number): TensorType[] =>
  leaves<TensorType>(model.caches(1, capacity)).map(([, type]) => type);

const tensors = (tree: Parameters<typeof leaves<Tensor>>[0]): Tensor[] =>
  leaves<Tensor>(tree).map(([, tensor]) => tensor);

/** (params as they are stored, caches, tokens int32 [1, n], position int32 []) -> (caches, logits float32 [1, vocabulary]), the caches donated. */
export function decodeGraph(model: LanguageModel, { tokens, capacity, storage = "float32" }: DecodeShape) {
  const { weights, inputs: params } = traceWeights(model.params, storage);
  const types: CacheTree = model.caches(1, capacity);
  const caches = mapTree<TensorType, Tensor>(types, ({ shape, dtype }, path) => input(shape, dtype, path));
  const [ids, position] = [input([1, tokens], "int32", "tokens"), input([], "int32", "position")];
  const next = model.decode(weights, ids, caches, position);
  const [before, after] = [tensors(caches), tensors(next.caches)];
  const decode: Graph = graph({
    name: `decode of ${tokens} at ${capacity}`,
    inputs: [...params, ...before, ids, position],
    outputs: [...after, next.logits],
  });
  return { graph: decode, donate: before.map((_, i) => [params.length + i, i] as const) };
}
