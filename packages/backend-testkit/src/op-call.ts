import {
  type AnyCall,
  type AnyOp,
  gradient,
  graph,
  type HostTensor,
  input,
  type ListGraph,
  mul,
  reduceSum,
  splitCall,
  type Tensor,
  typeName,
} from "@finegrain/graph";
import type { CaseInput, Draw } from "@finegrain/graph/cases";
import * as fc from "fast-check";
import { randomValue } from "./random-value.ts";

/** An op's call as a test runs it: a graph and values for its inputs. */
export interface OpTest {
  readonly title: string;
  readonly graph: ListGraph;
  readonly values: readonly HostTensor[];
}

function build(op: AnyOp, call: AnyCall): { inputs: Tensor[]; out: Tensor; values: HostTensor[]; title: string } {
  const [operands, attrs] = splitCall(call);
  const specs = operands as readonly CaseInput[]; // a call's operands are case inputs
  const inputs = specs.map(({ shape, dtype }) => input(shape, dtype));
  const out = op(...inputs, ...(attrs === undefined ? [] : [attrs]));
  const title = [...specs.map(typeName), ...(attrs === undefined ? [] : [JSON.stringify(attrs)])].join(" ");
  return { inputs, out, values: specs.map((spec, i) => randomValue(spec, i + 1)), title };
}

/** The op's value. */
export function forwardTest(op: AnyOp, call: AnyCall): OpTest {
  const { inputs, out, values, title } = build(op, call);
  return { title, values, graph: graph({ name: op.name, inputs, outputs: [out] }) };
}

export interface GradientTest extends OpTest {
  /** The scalar whose gradient `graph` computes, of the same inputs. */
  readonly loss: ListGraph;
  /** Which input each output of `graph` is the gradient of. */
  readonly of: readonly number[];
}

/** Gradients of sum(op(...) * ct) for a random ct, with respect to every float32 input; undefined where there are none. */
export function gradientTest(op: AnyOp, call: AnyCall): GradientTest | undefined {
  const { inputs, out, values, title } = build(op, call);
  const of = inputs.flatMap((x, i) => (x.dtype === "float32" ? [i] : []));
  if (op.vjp === null || out.dtype !== "float32" || of.length === 0) return undefined;
  const ct = input(out.shape);
  const loss = reduceSum(mul(out, ct), { axes: out.shape.map((_, axis) => axis) });
  const all = [...inputs, ct];
  const outputs = gradient(
    loss,
    of.map((i) => inputs[i]!),
  );
  return {
    title,
    of,
    values: [...values, randomValue({ dtype: "float32", shape: out.shape }, 7)],
    graph: graph({ name: `gradient of ${op.name}`, inputs: all, outputs }),
    loss: graph({ name: `loss of ${op.name}`, inputs: all, outputs: [loss] }),
  };
}

const extents = [1, 2, 3, 4, 1, 0];

/** Sizes from fast-check, so that a failing shape shrinks. */
const drawFrom = (generate: fc.GeneratorValue): Draw => {
  const integer = (low: number, high: number) => generate(fc.integer, { min: low, max: high });
  const extent = (atLeast = 0) => Math.max(atLeast, extents[integer(0, extents.length - 1)]!);
  return {
    integer,
    extent,
    shape: (minRank = 0, maxRank = 3) => Array.from({ length: integer(minRank, maxRank) }, () => extent()),
  };
};

/**
 * Check a property of an op over calls of drawn shapes, of those that are drawn again or are cases of the op but once. The
 * seed is fixed: a failure repeats.
 */
export function forDrawnCalls(op: AnyOp, runs: number, check: (call: AnyCall) => void | Promise<void>): Promise<void> {
  const passed = new Set(op.cases.map((call) => JSON.stringify(call)));
  const property = fc.asyncProperty(fc.gen(), async (generate) => {
    const call = op.sample(drawFrom(generate));
    const key = JSON.stringify(call);
    if (!passed.has(key)) await check(call);
    passed.add(key);
  });
  return fc.assert(property, { numRuns: runs, seed: 2021 });
}
