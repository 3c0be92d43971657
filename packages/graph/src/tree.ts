import { FinegrainError } from "./errors.ts";
import type { Shape, Tensor } from "./tensor.ts";

/** Values under names. A list is a branch too, with numbers for names. Paths are the names from the root, joined by ".". */
export type Tree<V> = V | readonly Tree<V>[] | { readonly [name: string]: Tree<V> };

/** What tells a leaf from a branch: tensors, their types, their values and parameters all have a shape. */
interface Leaf {
  readonly shape: Shape;
}

/** The tree `T` with a `V` (tensor, gradient, buffer) in place of every leaf. */
export type Like<T, V> = T extends Leaf ? V : { readonly [K in keyof T]: Like<T[K], V> };

const isLeaf = (x: unknown): x is Leaf =>
  typeof x === "object" && x !== null && Array.isArray((x as Partial<Leaf>).shape);

const below = (path: string, name: string | number): string => (path === "" ? `${name}` : `${path}.${name}`);

/** The same tree with `f(leaf, path)` in place of every leaf. Leaves are whatever has a shape. */
export function mapTree<L extends Leaf, V>(tree: Tree<L>, f: (leaf: L, path: string) => V, path = ""): Tree<V> {
  if (isLeaf(tree)) return f(tree, path);
  if (Array.isArray(tree)) return tree.map((branch: Tree<L>, i) => mapTree(branch, f, below(path, i)));
  return Object.fromEntries(
    Object.entries(tree as Readonly<Record<string, Tree<L>>>).map(([name, branch]) => [
      name,
      mapTree(branch, f, below(path, name)),
    ]),
  );
}

/** {@link mapTree} over tensors, with the tree's own type. */
export const mapTensors = <T extends Tree<Tensor>, V>(tree: T, f: (tensor: Tensor, path: string) => V): Like<T, V> =>
  mapTree<Tensor, V>(tree, f) as Like<T, V>; // the tree keeps its keys: `Like` says so, the recursion cannot

/** Every leaf with its path, in the order of the keys. */
export function leaves<L extends Leaf>(tree: Tree<L>): [path: string, leaf: L][] {
  const found: [string, L][] = [];
  mapTree(tree, (leaf, path) => found.push([path, leaf]));
  return found;
}

/** A branch of an outline: its names, or how many it lists, and what is below them. `undefined` is a leaf. */
interface Branch {
  readonly names: readonly string[] | undefined;
  readonly children: readonly (Branch | undefined)[];
}

/** What the trees that are alike have in common: the way from one to the list of its leaves, and back. */
export class Outline<T> {
  /** Of every leaf, in the order of the keys. */
  readonly paths: readonly string[];
  readonly #root: Branch | undefined;

  constructor(tree: T) {
    this.paths = leaves(tree as Tree<Leaf>).map(([path]) => path); // a tree of tensors: leaves are what has a shape
    this.#root = branchOf(tree);
  }

  /**
   * The leaves of a tree that is like this one. What else it has is left out.
   * @throws FinegrainError in the name of `what` takes it, where one is missing or a list is not as long.
   */
  list<V>(tree: Like<T, V>, what: string): V[] {
    const found: V[] = [];
    this.#collect(this.#root, tree, found, what);
    return found;
  }

  #collect(branch: Branch | undefined, value: unknown, found: unknown[], what: string): void {
    if (value === undefined || value === null || (branch && typeof value !== "object"))
      throw new FinegrainError(`${what} takes "${this.paths[found.length] ?? ""}", which it was not given`);
    if (branch === undefined) {
      found.push(value);
      return;
    }
    const { names, children } = branch;
    if (names === undefined) this.#collectList(children, value as readonly unknown[], found, what);
    else
      for (let i = 0; i < children.length; i++)
        this.#collect(children[i], (value as Readonly<Record<string, unknown>>)[names[i]!], found, what);
  }

  #collectList(children: Branch["children"], list: readonly unknown[], found: unknown[], what: string): void {
    if (list.length !== children.length)
      throw new FinegrainError(`${what} takes ${children.length} inputs, not ${list.length}`);
    for (let i = 0; i < children.length; i++) this.#collect(children[i], list[i], found, what);
  }

  /** The tree whose leaves are listed. */
  tree<V>(list: readonly V[]): Like<T, V> {
    let next = 0;
    const grow = (branch: Branch | undefined): unknown => {
      if (branch === undefined) return list[next++];
      const { names, children } = branch;
      if (names === undefined) return children.map(grow);
      const tree: Record<string, unknown> = {};
      for (let i = 0; i < children.length; i++) tree[names[i]!] = grow(children[i]);
      return tree;
    };
    return grow(this.#root) as Like<T, V>; // of this outline, which is T's
  }
}

function branchOf(tree: unknown): Branch | undefined {
  if (isLeaf(tree)) return undefined;
  if (Array.isArray(tree)) return { names: undefined, children: tree.map(branchOf) };
  if (typeof tree !== "object" || tree === null)
    throw new FinegrainError(`${tree} is no tensor and no tree of tensors`);
  return { names: Object.keys(tree), children: Object.values(tree).map(branchOf) };
}
