import type { Shape, Tensor, TensorType } from "@finegrain/graph";
import type { Context } from "./context.ts";
import type { Init } from "./init.ts";

/** One weight array, float32: its shape and how it starts. Serves to initialise, to trace and to check a checkpoint. */
export interface Param {
  readonly shape: Shape;
  readonly init: Init;
}

/** A tree of parameters. Paths from its root, joined by ".", are the names in a checkpoint. */
export interface Params {
  readonly [name: string]: Param | Params;
}

/** A tree with a leaf of type `V` at the end of every path. */
export type Tree<V> = V | { readonly [name: string]: Tree<V> };
/** What a model keeps between decode steps, by its types: KV caches and the last inputs of convolutions. */
export type CacheTree = Tree<TensorType>;

/** What tells a leaf from a branch: parameters, tensors and tensor types all have a shape. */
interface Leaf {
  readonly shape: Shape;
}

/** The tree `P` with a `V` (tensor, gradient, array) in place of every leaf. */
export type Like<P, V> = P extends Leaf ? V : { readonly [K in keyof P]: Like<P[K], V> };
/** The tensors that stand for a layer's parameters in a graph. */
export type Weights<P> = Like<P, Tensor>;

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
   *   position  int32    []    tokens that are cached already
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

const isLeaf = (x: unknown): x is Leaf =>
  typeof x === "object" && x !== null && Array.isArray((x as Partial<Leaf>).shape);

/** The same tree with `f(leaf, path)` in place of every leaf. Leaves are whatever has a shape. */
export function mapTree<T extends Leaf, V>(tree: Tree<T>, f: (leaf: T, path: string) => V, path = ""): Tree<V> {
  if (isLeaf(tree)) return f(tree as T, path);
  return Object.fromEntries(
    Object.entries(tree as Readonly<Record<string, Tree<T>>>).map(([name, branch]) => [
      name,
      mapTree(branch, f, path === "" ? name : `${path}.${name}`),
    ]),
  );
}

/** {@link mapTree} over parameters, with the tree's own type. */
export const mapParams = <P extends Params, V>(params: P, f: (param: Param, path: string) => V): Like<P, V> =>
  mapTree<Param, V>(params, f) as Like<P, V>; // the tree keeps its keys: `Like` says so, the recursion cannot

/** Every leaf with its path, in the order of the keys. */
export function leaves<T extends Leaf>(tree: Tree<T>): [path: string, leaf: T][] {
  const found: [string, T][] = [];
  mapTree(tree, (leaf, path) => found.push([path, leaf]));
  return found;
}

/** The types of a layer's parameters by their checkpoint names. */
export const paramTypes = (params: Params): Map<string, TensorType> =>
  new Map(leaves<Param>(params).map(([path, { shape }]) => [path, { dtype: "float32", shape }]));

/** Number of weights in a tree of parameters. */
export const parameterCount = (params: Params): number =>
  leaves<Param>(params).reduce((n, [, { shape }]) => n + shape.reduce((a, b) => a * b, 1), 0);
