import {
  type CompositeName,
  compositeNames,
  type Donations,
  type Graph,
  type OpName,
  optimizing,
  size,
  type Tensor,
  type Turns,
} from "@finegrain/graph";
import type { Lowerings } from "./lowering.ts";
import type { Machine } from "./machine.ts";
import type { Program } from "./program.ts";
import { ProgramBuilder, type Value } from "./program-builder.ts";

/** A graph as an engine's program. */
export interface Lowered<H> {
  readonly program: Program<H>;
  /** Inputs that the program writes into. */
  readonly written: ReadonlySet<number>;
}

type Lower = (inputs: Value[], attrs: unknown, out: Tensor) => Value;

/** Walk a graph once, in turns, and leave of it a flat list of calls. */
export function* lowering<H>(source: Graph, donate: Donations, machine: Machine<H>): Turns<Lowered<H>> {
  const builder = new ProgramBuilder<H>(machine);
  const table = machine.lowerings(builder);
  const whole = new Set<CompositeName>(compositeNames.filter((name) => name in table));
  const graph = yield* optimizing(source, whole);
  const written = new Map(donate.flatMap(([i, o]) => (isWritten(graph, i, o) ? [[graph.outputs[o]!, i]] : [])));
  const values = new Map<Tensor, Value>(graph.inputs.map((x) => [x, builder.input(x)]));
  const inputs = [...values.values()];
  const shown = new Map<Tensor, Value>();
  for (const node of graph.nodes) {
    if (values.has(node)) continue;
    const operands = node.inputs.map((x) => values.get(x)!);
    if (written.has(node)) {
      const [into, rows, start] = operands as [Value, Value, Value]; // the operands of updateSlice
      const { axis } = node.attrs as { axis: number };
      const place = machine.inPlace.write(builder, { into, rows, start, axis });
      values.set(node, place.read);
      shown.set(node, place.written);
    } else values.set(node, lowerNode(builder, table, node, operands));
    yield;
  }
  const outputs = graph.outputs.map((out) => shown.get(out) ?? machine.settled(builder, values.get(out)!));
  const places = new Set<number>(written.values());
  const donated = donate.map(([i]) => i);
  const program = builder.finish({
    inputs,
    outputs,
    spent: donated.filter((i) => !places.has(i)).map((i) => inputs[i]!),
    written: [...places].map((i) => inputs[i]!),
  });
  return { program, written: places };
}

function lowerNode<H>(builder: ProgramBuilder<H>, table: Lowerings, node: Tensor, operands: Value[]): Value {
  if (size(node.shape) === 0) return builder.constant(node.dtype, node.shape, []);
  // The operands and attributes are those of the node's own op.
  return (table[node.op as OpName] as Lower)(operands, node.attrs, node);
}

/** Ops whose result may lie in the memory of their first operand. */
const VIEWS: ReadonlySet<string> = new Set([
  "reshape",
  "transpose",
  "broadcastTo",
  "slice",
  "dynamicSlice",
  "stopGradient",
  "barrier",
]);

/** Whether an output is its donated input with rows replaced, and nothing else reads that input or shows that output. */
function isWritten(graph: Graph, i: number, o: number): boolean {
  const [input, output] = [graph.inputs[i]!, graph.outputs[o]!];
  if (output.op !== "updateSlice" || output.inputs[0] !== input || size(output.inputs[1]!.shape) === 0) return false;
  const readers = graph.nodes.filter((node) => node !== output && node.inputs.includes(input));
  const shown = graph.outputs.filter((_, at) => at !== o).map(viewed);
  return readers.length === 0 && !shown.includes(output) && !shown.includes(input);
}

/** What a tensor is a view of. */
const viewed = (node: Tensor): Tensor => (VIEWS.has(node.op) ? viewed(node.inputs[0]!) : node);
