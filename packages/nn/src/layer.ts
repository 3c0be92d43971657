import {
  FinegrainError,
  type Like,
  leaves,
  mapTree,
  type Shape,
  type Tensor,
  type TensorType,
  type Tree,
} from "@finegrain/graph";
import type { Context } from "./context.ts";
import type { Init } from "./init.ts";

/** One weight array, float32: its shape and how it starts. Serves to initialise, to trace and to check a checkpoint. */
export interface Param {
  readonly shape: Shape;
  readonly init: Init;
  /** Of a matrix [in, out]: a product sums over its rows. Left out: over its last axis, or whatever it is. */
  readonly rows?: "inputs";
  /** Of a matrix: much of what it is multiplied with is 0, and needs no weights. Left out: false. */
  readonly skipsZeros?: true;
  /** The first axis has a part for every expert, which ranks may share out among them. Left out: false. */
  readonly perExpert?: true;
}

/** A tree of parameters. Paths from its root, joined by ".", are the names in a checkpoint. */
export interface Params {
  readonly [name: string]: Param | Params;
}

/** What a model keeps between decode steps, by its types: KV caches and the last inputs of convolutions. */
export type CacheTree = Tree<TensorType>;

/** The tensors that stand for a layer's parameters in a graph. */
export type Weights<P> = Like<P, Tensor>;

export { type Like, leaves, mapTree, type Tree };

/** A function of `[batch, time, features]` with parameters. Configs go in, graphs come out; nothing is mutated. */
export interface Layer<P extends Params = Params> {
  readonly params: P;
  /** Why a token's output depends on later tokens, in words; absent where it does not. */
  readonly notCausal?: string;
  /** Why there is no decode, in words; absent where there is one. */
  readonly noDecode?: string;
  apply(w: Weights<P>, x: Tensor, context: Context): Tensor;
}

/** A layer that keeps something between decode steps, under the names `K`. */
export interface CachedLayer<P extends Params = Params, K extends string = string> extends Layer<P> {
  /** What a stream of at most `capacity` tokens needs. All start as zeros. */
  caches(batch: number, capacity: number): Readonly<Record<K, TensorType>>;
  /**
   * The next tokens of a stream, in evaluation: equal to the last rows of `apply` over all tokens so far.
   *
   *   x         float32  [batch, new, features]
   *   position  int32    []    tokens that are cached already; of each stream for itself, [batch]
   */
  decode(
    w: Weights<P>,
    x: Tensor,
    caches: Readonly<Record<K, Tensor>>,
    position: Tensor,
  ): { readonly y: Tensor; readonly caches: Readonly<Record<K, Tensor>> };
}

/**
 * A layer without caches whose decode is not its `apply`: it reads less, or a token has no others to be put together with.
 */
export interface DecodedLayer<P extends Params = Params> extends Layer<P> {
  /** x float32 [batch, new, features]. Equal to `apply` in evaluation, or what else the layer's docstring says. */
  decode(w: Weights<P>, x: Tensor): Tensor;
}

export const param = (shape: Shape, init: Init): Param => ({ shape, init });

/** A matrix [in, out]. */
export const matrix = (dIn: number, dOut: number, init: Init): Param => ({ shape: [dIn, dOut], init, rows: "inputs" });

/** {@link mapTree} over parameters, with the tree's own type. */
export const mapParams = <P extends Params, V>(params: P, f: (param: Param, path: string) => V): Like<P, V> =>
  mapTree<Param, V>(params, f) as Like<P, V>; // the tree keeps its keys: `Like` says so, the recursion cannot

/**
 * The parameters of one of several ranks that share the experts out: of those that are `perExpert` its own experts', in their order.
 * @throws FinegrainError where experts cannot be shared out evenly.
 */
export const paramsOfRank = <P extends Params>(params: P, ranks: number): P =>
  mapTree<Param, Param>(params, (own, path) => {
    const [count, ...rest] = own.shape;
    if (!own.perExpert) return own;
    if (count! % ranks !== 0)
      throw new FinegrainError(`${count} experts cannot be shared out evenly among ${ranks} ranks: see ${path}`);
    return { ...own, shape: [count! / ranks, ...rest] };
  }) as P; // the same tree

/** The types of a layer's parameters by their checkpoint names. */
export const paramTypes = (params: Params): Map<string, TensorType> =>
  new Map(leaves<Param>(params).map(([path, { shape }]) => [path, { dtype: "float32", shape }]));

/** Number of weights in a tree of parameters. */
export const parameterCount = (params: Params): number =>
  leaves<Param>(params).reduce((n, [, { shape }]) => n + shape.reduce((a, b) => a * b, 1), 0);
