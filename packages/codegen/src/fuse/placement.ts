import type { Graph, Tensor } from "@finegrain/graph";
import { isDequantized, sameShape, size } from "@finegrain/graph";
import { builders } from "./builders.ts";
import { isElementwise, isView } from "./inline.ts";
import { isPaddedBehind, partsOf, rearrangedBase } from "./part.ts";

/** Expensive enough that computing one twice costs more than keeping it. */
const heavy = new Set(["exp", "log", "sqrt", "sin", "cos", "tanh", "erf", "div", "pow", "rem"]);

/** What an expression that is written into a kernel costs there. */
interface Weight {
  readonly loads: number;
  readonly operations: number;
  readonly heavy: boolean;
}
const LOAD: Weight = { loads: 1, operations: 0, heavy: false };
const FREE: Weight = { loads: 0, operations: 0, heavy: false };

/** An expression larger than this is cut, so that kernels stay of a size that registers and compilers like. */
const LARGEST = { loads: 12, operations: 64 };

const isCheap = ({ loads, operations, heavy }: Weight): boolean => !heavy && loads <= 1 && operations <= 3;

/** Which of a graph's values have a buffer, and which kernel computes what. */
export interface Placement {
  /** Values that are stored. Those that are neither here nor leaves are written into the kernels that read them. */
  readonly stored: ReadonlySet<Tensor>;
  /** The reduction that a stored element-wise value is the epilogue of. */
  readonly epilogueOf: ReadonlyMap<Tensor, Tensor>;
  /** Stored values that only become a part of a larger one: they can be computed there. */
  readonly parts: ReadonlySet<Tensor>;
  /** Stored values by the paddings that only add to their ends: one buffer can have both. */
  readonly beginningOf: ReadonlyMap<Tensor, Tensor>;
}

/** Where an epilogue may start: kernels that reduce. */
const reducing = new Set(["einsum", "reduceSum", "reduceMax", "argMax"]);
const isLeaf = (x: Tensor) => x.op === "input" || x.op === "constant" || x.op === "iota";
const isInlined = (x: Tensor) => isElementwise(x) || isView(x);

/**
 * Decide what is stored. Element-wise values and views are written into their readers, unless that would compute something
 * expensive more than once; a reduction takes with it the element-wise values that only it leads to.
 */
export function place(graph: Graph, { computeParts }: { computeParts: boolean }): Placement {
  const users = usersOf(graph);
  const epilogueOf = epilogues(graph, users);
  const inEpilogue = new Set<Tensor>();
  for (const [last, first] of epilogueOf) for (let x = first; x !== last; x = users.get(x)![0]!) inEpilogue.add(x);
  const reads = readCounts(graph, users);
  const stored = new Set<Tensor>();
  const weights = new Map<Tensor, Weight>();
  const outputs = new Set(graph.outputs.map(storedBase));
  for (const x of graph.nodes) {
    if (isLeaf(x)) {
      weights.set(x, x.op === "iota" || x.shape.length === 0 ? FREE : LOAD);
      continue;
    }
    const weight = weigh(x, weights, inEpilogue);
    const tooLarge = weight.loads > LARGEST.loads || weight.operations > LARGEST.operations;
    // Whoever reads weights of fewer bits makes numbers of them, or nothing would have been saved.
    const again = isElementwise(x) && !isDequantized(x) && reads.get(x)! > 1 && !isCheap(weight);
    const keep =
      (outputs.has(x) && x.op !== "reshape") ||
      epilogueOf.has(x) ||
      !isInlined(x) ||
      (isElementwise(x) && (tooLarge || again));
    if (keep && !inEpilogue.has(x)) stored.add(x);
    weights.set(x, stored.has(x) ? LOAD : weight);
  }
  const parts = computeParts ? partsAlone(graph, stored, users) : new Set<Tensor>();
  const beginningOf = beginnings(graph, (x) => stored.has(x) && !outputs.has(x) && !parts.has(x));
  return { stored, epilogueOf, parts, beginningOf };
}

/** The paddings that only add to the end of a free value, each with that value, which is the beginning of no other. */
function beginnings(graph: Graph, isFree: (x: Tensor) => boolean): Map<Tensor, Tensor> {
  const found = new Map<Tensor, Tensor>();
  const taken = new Set<Tensor>();
  for (const x of graph.nodes) {
    if (x.op !== "pad" || !isFree(x) || !isPaddedBehind(x)) continue;
    const base = storedBase(x.inputs[0]!);
    if (!isFree(base) || taken.has(base) || (base.op in builders && base.op !== "concat")) continue;
    taken.add(base);
    found.set(x, base);
  }
  return found;
}

/** Stored values that are loops, and that only one other value reads, as one of its parts. */
function partsAlone(
  graph: Graph,
  stored: ReadonlySet<Tensor>,
  users: ReadonlyMap<Tensor, readonly Tensor[]>,
): Set<Tensor> {
  const outputs = new Set(graph.outputs);
  const alone = (x: Tensor): boolean => users.get(x)!.length === 1 && !outputs.has(x);
  const found = new Set<Tensor>();
  for (const whole of graph.nodes)
    for (const part of partsOf(whole)) {
      const base = rearrangedBase(part);
      let own = whole.inputs.filter((x) => x === part).length === 1;
      for (let x = part; own && x !== base; x = x.inputs[0]!) own = alone(x);
      if (own && alone(base) && stored.has(base) && !(base.op in builders)) found.add(base);
    }
  return found;
}

/** The value whose buffer a reshaped value can share. */
export function storedBase(x: Tensor): Tensor {
  return x.op === "reshape" && !isLeaf(x.inputs[0]!) ? storedBase(x.inputs[0]!) : x;
}

function usersOf(graph: Graph): Map<Tensor, Tensor[]> {
  const users = new Map<Tensor, Tensor[]>(graph.nodes.map((x) => [x, []]));
  for (const node of graph.nodes) for (const x of new Set(node.inputs)) users.get(x)!.push(node);
  return users;
}

/** The last of the chain of element-wise values of one shape that each reduction alone leads to, by itself. */
function epilogues(graph: Graph, users: ReadonlyMap<Tensor, readonly Tensor[]>): Map<Tensor, Tensor> {
  const outputs = new Set(graph.outputs);
  const taken = new Set<Tensor>();
  const found = new Map<Tensor, Tensor>();
  for (const first of graph.nodes.toReversed()) {
    if (!reducing.has(first.op)) continue;
    let last = first;
    for (let length = 0; length < LARGEST.operations / 2; length++) {
      const next = users.get(last)!;
      const fits =
        next.length === 1 && isElementwise(next[0]!) && sameShape(next[0]!.shape, last.shape) && !joinsSums(next[0]!);
      if (!fits || outputs.has(last) || taken.has(next[0]!)) break;
      last = next[0]!;
      taken.add(last);
    }
    if (last !== first) found.set(last, first);
  }
  return found;
}

/** Whether one number is made of several that are computed: sums of everything had better not wait for each other. */
const joinsSums = (x: Tensor): boolean => size(x.shape) === 1 && x.inputs.filter((part) => !isLeaf(part)).length > 1;

/** How often each value would be computed, were it written into its readers. */
function readCounts(graph: Graph, users: ReadonlyMap<Tensor, readonly Tensor[]>): Map<Tensor, number> {
  const reads = new Map<Tensor, number>();
  const outputs = new Set(graph.outputs);
  for (const x of graph.nodes.toReversed()) {
    let count = outputs.has(x) ? 1 : 0;
    for (const user of users.get(x)!) count += isView(user) ? viewReads(user, x, reads.get(user)!) : stretch(user, x);
    reads.set(x, count);
  }
  return reads;
}

const stretch = (user: Tensor, x: Tensor): number =>
  user.op === "einsum" || (isElementwise(user) && size(user.shape) > size(x.shape)) ? 2 : 1;

const viewReads = (view: Tensor, x: Tensor, reads: number): number =>
  view.op === "barrier" && view.inputs[1] === x ? 0 : size(view.shape) > size(x.shape) ? 2 * reads : reads;

function weigh(x: Tensor, weights: ReadonlyMap<Tensor, Weight>, inEpilogue: ReadonlySet<Tensor>): Weight {
  const parts = (x.op === "barrier" ? x.inputs.slice(0, 1) : x.inputs).map((part) =>
    inEpilogue.has(part) && !isElementwise(part) ? FREE : weights.get(part)!,
  );
  const own = isElementwise(x) ? 1 : 0;
  return {
    loads: parts.reduce((sum, { loads }) => sum + loads, 0),
    operations: parts.reduce((sum, { operations }) => sum + operations, own),
    heavy: heavy.has(x.op) || parts.some((part) => part.heavy),
  };
}
