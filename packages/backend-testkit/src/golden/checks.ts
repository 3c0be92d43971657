import type { Backend, Graph, HostTensor, ListGraph, TensorType } from "@finegrain/graph";
import { FinegrainError, hostTensor, sameShape, typeName } from "@finegrain/graph";
import { missingOp, runGraph } from "../run-graph.ts";
import { Unsupported } from "./case.ts";

/** One number of a graph's outputs that the original computed too. */
export interface Check {
  /** The tensor's name in the file: "output", "grad.weights.in". */
  readonly name: string;
  readonly expected: HostTensor;
  readonly allowed: Allowance;
}

/** Largest error allowed: relative to the largest expected number (or to `scale` if that is larger), or element by element. */
export type Allowance =
  | { readonly ofLargest: number; readonly scale?: number }
  | { readonly absolute: number; readonly relative: number };

/** A case as a graph over values, whose outputs are what `checks` expects, in their order. */
export interface Trial {
  readonly graph: ListGraph;
  readonly values: readonly HostTensor[];
  readonly checks: readonly Check[];
  /** What is to be checked besides, over many runs. */
  readonly iteration?: Iteration;
}

/**
 * A graph that runs again and again: all its outputs but the last are the first inputs of the next run. The last, [1], makes
 * with those of the other runs what the check expects.
 */
export interface Iteration {
  readonly graph: ListGraph;
  readonly values: readonly HostTensor[];
  readonly times: number;
  readonly check: Check;
}

/** Errors of one check, or the largest of several. */
export interface Errors {
  /** Of any element. */
  readonly absolute: number;
  /** The absolute one over the largest expected number or the allowance's scale, where they are not 0. */
  readonly relative: number;
}

/** What came of a trial: the largest errors of all checks, and the checks that failed. */
export interface Verdict extends Errors {
  readonly failures: readonly string[];
}

/** @throws Unsupported where the backend declares that it cannot run the graph. */
export async function runTrial(backend: Backend, { graph, values, checks, iteration }: Trial): Promise<Verdict> {
  expectOps(backend, graph);
  const outputs = await runGraph(backend, graph, values);
  const results = checks.map((check, i) => compare(outputs[i]!, check));
  if (iteration) {
    expectOps(backend, iteration.graph);
    results.push(compare(await iterate(backend, iteration), iteration.check));
  }
  return {
    absolute: Math.max(...results.map(({ absolute }) => absolute)),
    relative: Math.max(...results.map(({ relative }) => relative)),
    failures: results.flatMap(({ failure }) => failure ?? []),
  };
}

function expectOps(backend: Backend, graph: Graph): void {
  const missing = missingOp(backend, graph);
  if (missing) throw new Unsupported(`the op ${missing.op} on ${backend.name}`);
}

/** The last outputs of all runs, [times]. */
async function iterate(backend: Backend, { graph, values, times }: Iteration): Promise<HostTensor> {
  using executable = await backend.compile(graph);
  const state = graph.outputs.length - 1;
  let inputs = values.map((value) => backend.upload(value));
  const found: number[] = [];
  for (let run = 0; run < times; run++) {
    const outputs = executable.run(inputs);
    const last = outputs[state]!;
    found.push((await last.read()).data[0]!);
    for (const buffer of [...inputs.slice(0, state), last]) buffer[Symbol.dispose]();
    inputs = [...outputs.slice(0, state), ...inputs.slice(state)];
  }
  for (const buffer of inputs) buffer[Symbol.dispose]();
  return hostTensor("float32", [times], found);
}

/** @throws FinegrainError where the types differ: the case was set up wrong. */
function expectType(name: string, actual: TensorType, expected: TensorType): void {
  if (actual.dtype !== expected.dtype || !sameShape(actual.shape, expected.shape))
    throw new FinegrainError(`${name} is ${typeName(actual)}, expected ${typeName(expected)}`);
}

function compare(actual: HostTensor, { name, expected, allowed }: Check): Errors & { failure?: string } {
  expectType(name, actual, expected);
  const largest = Math.max(largestOf(expected), "ofLargest" in allowed ? (allowed.scale ?? 0) : 0);
  let [absolute, excess] = [0, false];
  for (let i = 0; i < expected.data.length; i++) {
    const error = Math.abs(actual.data[i]! - expected.data[i]!);
    absolute = Math.max(absolute, error); // NaN stays NaN
    // Not "error > bound", which no NaN would be.
    if (!(error <= bound(allowed, largest, expected.data[i]!))) excess = true;
  }
  const relative = largest > 0 ? absolute / largest : absolute;
  if (!excess) return { absolute, relative };
  return { absolute, relative, failure: `${name} is off by ${shown(absolute)}, relatively ${shown(relative)}` };
}

/** The largest absolute value. */
export const largestOf = ({ data }: HostTensor): number => {
  let largest = 0;
  for (const x of data) largest = Math.max(largest, Math.abs(x));
  return largest;
};

/** Where all expected numbers are 0, an error counts as it is. */
function bound(allowed: Allowance, largest: number, expected: number): number {
  if ("ofLargest" in allowed) return allowed.ofLargest * (largest > 0 ? largest : 1);
  return allowed.absolute + allowed.relative * Math.abs(expected);
}

export const shown = (error: number): string => error.toExponential(1);
