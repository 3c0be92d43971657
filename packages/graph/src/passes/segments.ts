import type { OpName } from "../catalog.ts";
import { type Graph, graph, type ListGraph, topological } from "../graph.ts";
import { input, inputName, type Tensor } from "../tensor.ts";
import { decomposedUnless, decompositionOf } from "./decompose.ts";
import { rewrite, withInputs } from "./rewrite.ts";

/*
 * A graph of several ranks, cut where they meet. Values are numbered: first those that the graph takes, then those that pass from one segment to
 * another, or to another rank.
 */

/** What runs without a word from other ranks. */
export interface Segment {
  readonly graph: ListGraph;
  /** Numbers of the values that the graph takes, and of those that it gives. */
  readonly takes: readonly number[];
  readonly gives: readonly number[];
  /** What all ranks then exchange, in this order: value `of` becomes value `into` by an `allToAll`. */
  readonly exchanges: readonly { readonly of: number; readonly into: number }[];
  /** Values that nothing after this needs. */
  readonly lastUse: readonly number[];
}

/** One behind the other they compute what the graph does, on every rank. */
export interface Segments {
  readonly segments: readonly Segment[];
  /** Numbers of the values that the graph gives. */
  readonly gives: readonly number[];
}

/** Where values only get other places, or are made of nothing: done again by every segment that needs it, rather than kept from one to another. */
const AGAIN: ReadonlySet<string> = new Set<OpName>([
  ...(["constant", "iota", "reshape", "transpose", "broadcastTo", "concat"] as const),
]);

/** Cut a graph at every `allToAll`. A graph without one is one segment. Composites stay whole, except those within which ranks meet. */
export function segmentsOf(source: Graph): Segments {
  const whole = rewrite(
    source,
    decomposedUnless((node) => node.op === "allToAll" || !meetsWithin(node)),
  );
  const stages = stagesOf(whole);
  const numbers = new Map<Tensor, number>(whole.inputs.map((x, i) => [x, i]));
  const numberOf = (value: Tensor): number => {
    if (!numbers.has(value)) numbers.set(value, numbers.size);
    return numbers.get(value)!;
  };
  const meetings = whole.nodes.filter((node) => node.op === "allToAll");
  const last = Math.max(0, ...meetings.map((node) => stages.get(node)!));
  const wanted = Array.from({ length: last + 1 }, () => new Set<Tensor>());
  const want = (value: Tensor) => {
    if (value.op !== "allToAll" && value.op !== "input") wanted[stages.get(value)!]!.add(value);
  };
  for (const value of [...whole.outputs, ...meetings.map((node) => node.inputs[0]!)]) want(value); // each has one
  // From the last on: what a segment takes, those before it have to give.
  const parts = wanted
    .map((_, i) => last - i)
    .map((stage) => {
      const part = partOf(
        `${source.name}, part ${stage + 1} of ${last + 1}`,
        [...wanted[stage]!],
        (node) => node.op !== "input" && (AGAIN.has(node.op) || (node.op !== "allToAll" && stages.get(node) === stage)),
      );
      for (const value of part.taken) want(value);
      return part;
    });
  const segments = parts.reverse().map(({ graph, taken, given }, stage) => ({
    graph,
    takes: taken.map(numberOf),
    gives: given.map(numberOf),
    exchanges: meetings
      .filter((node) => stages.get(node) === stage + 1)
      .map((node) => ({ of: numberOf(node.inputs[0]!), into: numberOf(node) })),
  }));
  const gives = whole.outputs.map(numberOf);
  return { segments: withLastUses(segments, new Set([...whole.inputs.keys(), ...gives])), gives };
}

/** Whether ranks meet in the decomposition of a composite. */
function meetsWithin(node: Tensor): boolean {
  const result = decompositionOf(node);
  if (result === undefined) return false;
  const given = new Set(node.inputs);
  return topological([result], given).some((part) => !given.has(part) && (part.op === "allToAll" || meetsWithin(part)));
}

/** How often ranks meet before a node can be computed. */
function stagesOf({ nodes }: Graph): ReadonlyMap<Tensor, number> {
  const stages = new Map<Tensor, number>();
  for (const node of nodes) {
    const before = node.inputs.reduce((most, x) => Math.max(most, stages.get(x)!), 0);
    stages.set(node, node.op === "allToAll" ? before + 1 : before);
  }
  return stages;
}

/** The nodes that `given` needs and that `isOwn`, over the values that come from elsewhere. */
function partOf(name: string, given: readonly Tensor[], isOwn: (node: Tensor) => boolean) {
  const [seen, taken] = [new Set<Tensor>(), [] as Tensor[]];
  const stack = [...given];
  while (stack.length > 0) {
    const node = stack.pop()!;
    if (seen.has(node)) continue;
    seen.add(node);
    if (isOwn(node)) stack.push(...node.inputs);
    else taken.push(node);
  }
  const own = new Map<Tensor, Tensor>(taken.map((x) => [x, input(x.shape, x.dtype, inputName(x))]));
  for (const node of topological(given, new Set(taken)))
    if (!own.has(node))
      own.set(
        node,
        withInputs(
          node,
          node.inputs.map((x) => own.get(x)!),
        ),
      );
  const outputs = given.map((x) => own.get(x)!);
  return { graph: graph({ name, inputs: taken.map((x) => own.get(x)!), outputs }), taken, given };
}

/** With what may be forgotten behind each, which is not what is `kept`. */
function withLastUses(segments: readonly Omit<Segment, "lastUse">[], kept: ReadonlySet<number>): Segment[] {
  const lastOf = new Map<number, number>();
  for (const [i, { takes, gives, exchanges }] of segments.entries()) {
    for (const value of [...takes, ...gives]) lastOf.set(value, i);
    for (const { of, into } of exchanges) {
      lastOf.set(of, i);
      lastOf.set(into, i);
    }
  }
  const unkept = [...lastOf].filter(([value]) => !kept.has(value));
  return segments.map((segment, i) => ({
    ...segment,
    lastUse: unkept.filter(([, last]) => last === i).map(([value]) => value),
  }));
}
