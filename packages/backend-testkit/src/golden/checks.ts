import type { Backend, Graph, HostTensor, TensorType } from "@finegrain/graph";
import { FinegrainError, sameShape, typeName } from "@finegrain/graph";
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
  readonly graph: Graph;
  readonly values: readonly HostTensor[];
  readonly checks: readonly Check[];
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
export async function runTrial(backend: Backend, { graph, values, checks }: Trial): Promise<Verdict> {
  const missing = missingOp(backend, graph);
  if (missing) throw new Unsupported(`the op ${missing.op} on ${backend.name}`);
  const outputs = await runGraph(backend, graph, values);
  const results = checks.map((check, i) => compare(outputs[i]!, check));
  return {
    absolute: Math.max(...results.map(({ absolute }) => absolute)),
    relative: Math.max(...results.map(({ relative }) => relative)),
    failures: results.flatMap(({ failure }) => failure ?? []),
  };
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
