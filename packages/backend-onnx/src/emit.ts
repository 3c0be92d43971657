import {
  catalog,
  type Donations,
  FinegrainError,
  type Graph,
  inputName,
  leaves,
  type OpName,
  optimize,
  rewrite,
  size,
  type Tensor,
  type TensorType,
  UnsupportedOpError,
} from "@finegrain/graph";
import { HostValues } from "./host-values.ts";
import { appendedAttention } from "./lowerings/attention.ts";
import { lowerEinsum } from "./lowerings/einsum.ts";
import { lowerings, lowersWhole } from "./lowerings/index.ts";
import type { Lowerings } from "./lowerings/lowering.ts";
import { type FilePart, ModelBuilder } from "./model-builder.ts";
import type { Feed, Patch, Program, Result } from "./program.ts";

/** Lower a graph to an ONNX model and to what the host has to do around its runs. */
export function emit(source: Graph, donate: Donations): Program {
  const graph = runnable(source);
  const host = new HostValues(graph.inputs);
  const donor = new Map(donate.map(([input, output]) => [output, input]));
  const plans = graph.outputs.map((out, o) => planOutput(out, graph, donor.get(o), host));
  const emitter = new Emitter(graph, host);
  emitter.lower(plans.flatMap(({ value }) => (value ? [value] : [])));
  const results = plans.map(
    ({ type, value, patch }): Result =>
      value === undefined
        ? { kind: "empty", type }
        : patch
          ? { kind: "patch", type, name: emitter.output(value), ...patch }
          : { kind: "output", type, name: emitter.output(value) },
  );
  return { model: emitter.finish(source.name), feeds: emitter.feeds, results, host: host.finish(source.name) };
}

/**
 * A graph as an ONNX model that needs no host: its inputs and outputs have the names of their paths in the graph's trees, `tokens` or
 * `caches.blocks.0.keys`, and no two may have the same one. Outputs without elements are left out, and so are inputs that nothing reads.
 *
 * @param stored where an input's numbers are in a file beside the model, by its path; undefined where every run gives them.
 * @throws FinegrainError where the graph draws random numbers, which a host would have to make.
 */
export function onnxModel(source: Graph, stored: (path: string) => FilePart | undefined): Uint8Array {
  const graph = runnable(source);
  const paths = leaves<Tensor>(source.takes).map(([path]) => path);
  const emitter = new Emitter(graph, new HostValues(graph.inputs), (model, node, input) => {
    const path = paths[input]!;
    const part = stored(path);
    return part === undefined ? model.input(path, node) : model.external(path, node, part);
  });
  const outputs = leaves<Tensor>(source.gives)
    .map(([path], o) => [path, graph.outputs[o]!] as const)
    .filter(([, { shape }]) => size(shape) > 0);
  emitter.lower(outputs.map(([, value]) => value));
  if (emitter.feeds.length > 0)
    throw new FinegrainError(`graph "${source.name}" draws random numbers, which an ONNX model cannot do by itself`);
  for (const [path, value] of outputs) emitter.output(value, path);
  return emitter.finish(source.name)!;
}

/** A graph of what ONNX Runtime can run. */
const runnable = (source: Graph): Graph => optimize(separateCaches(optimize(source, lowersWhole)), lowersWhole);

/** Attention whose caches are inputs that the same step appends to, which is lowered without a copy of them. */
function isAppended(node: Tensor, inputs: readonly Tensor[]): boolean {
  const [q, k, v, position] = node.inputs;
  return [k, v].every(
    (cache) =>
      cache!.op === "updateSlice" &&
      inputs.includes(cache!.inputs[0]!) &&
      cache!.inputs[2] === position &&
      cache!.inputs[1]!.shape[2] === q!.shape[2] &&
      (cache!.attrs as { axis: number }).axis === 2, // the attributes of updateSlice
  );
}

/** Other attention over caches runs its decomposition. */
const separateCaches = (graph: Graph): Graph =>
  rewrite(graph, (node) =>
    node.op === "cachedAttention" && !isAppended(node, graph.inputs)
      ? catalog.cachedAttention.decompose(node.inputs, node.attrs)
      : node,
  );

/** What the model computes for an output, and where the host writes it; no value where it is empty. */
function planOutput(
  out: Tensor,
  graph: Graph,
  donor: number | undefined,
  host: HostValues,
): { type: TensorType; value?: Tensor; patch?: Patch } {
  const type: TensorType = { dtype: out.dtype, shape: out.shape };
  if (size(out.shape) === 0) return { type };
  const [whole, rows, start] = out.inputs;
  const patches = out.op === "updateSlice" && donor !== undefined && whole === graph.inputs[donor];
  if (!patches || size(rows!.shape) === 0 || !host.knows(start!)) return { type, value: out };
  const { axis } = out.attrs as { axis: number }; // the attributes of updateSlice
  const place = { input: donor, axis, start: host.want(start!, "where a cache grows") };
  return { type, value: rows!, patch: { ...place, rows: { dtype: rows!.dtype, shape: rows!.shape } } };
}

type Lower = (inputs: string[], attrs: unknown, out: Tensor) => string;

const drawn = new Set(["uniform", "randomBits"]);

/** Writes the nodes that some values need into a model. */
class Emitter {
  readonly model = new ModelBuilder();
  readonly feeds: Feed[] = [];
  readonly #graph: Graph;
  readonly #host: HostValues;
  readonly #values = new Map<Tensor, string>();
  readonly #outputs = new Map<string, TensorType>();
  readonly #table = lowerings(this.model);

  readonly #declare: (model: ModelBuilder, node: Tensor, input: number) => string;

  /** @param declare makes an input of the graph known to the model. Default: as what every run is fed, in any shape. */
  constructor(
    graph: Graph,
    host: HostValues,
    declare = (_: ModelBuilder, node: Tensor, input: number) => this.#feed(node, input),
  ) {
    this.#graph = graph;
    this.#host = host;
    this.#declare = declare;
  }

  /** Write the nodes of these values, and of all that they need. */
  lower(wanted: readonly Tensor[]): void {
    const needed = new Set<Tensor>();
    const open = [...wanted];
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      if (needed.has(node)) continue;
      needed.add(node);
      open.push(...this.#operands(node));
    }
    for (const node of [...this.#graph.inputs.filter((x) => needed.has(x)), ...this.#graph.nodes]) {
      if (!needed.has(node) || this.#values.has(node)) continue;
      this.model.scope = node.op;
      this.#values.set(node, this.model.shaped(this.#lower(node), node.shape));
    }
  }

  /** The name of a lowered value as an output of the model, each of its own. */
  output(value: Tensor, named?: string): string {
    const own = this.#values.get(value)!;
    const free = this.model.computes(own) && !this.#outputs.has(own);
    const ofItsOwn = () => (free ? own : this.model.node("Identity", [own], {}, "", `copy ${this.#outputs.size}`));
    const name = named === undefined ? ofItsOwn() : this.model.named(own, named);
    this.#outputs.set(name, value);
    return name;
  }

  /** The model's bytes; undefined where it has no output. */
  finish(name: string): Uint8Array | undefined {
    return this.#outputs.size > 0 ? this.model.finish(name, [...this.#outputs]) : undefined;
  }

  /** What a node's lowering reads. */
  #operands(node: Tensor): readonly Tensor[] {
    if (size(node.shape) === 0 || drawn.has(node.op)) return [];
    if (node.op === "einsum") return node.inputs.map((x) => scaledOperand(x)?.of ?? x);
    if (node.op !== "cachedAttention") return node.inputs;
    const [q, k, v, position] = node.inputs as [Tensor, Tensor, Tensor, Tensor];
    return [q, position, k.inputs[0]!, k.inputs[1]!, v.inputs[0]!, v.inputs[1]!];
  }

  #lower(node: Tensor): string {
    if (size(node.shape) === 0) return this.model.fill(node, 0);
    if (node.op === "input") return this.#declare(this.model, node, this.#graph.inputs.indexOf(node));
    if (drawn.has(node.op)) return this.#draw(node);
    const operands = this.#operands(node).map((x) => this.#values.get(x)!);
    if (node.op === "cachedAttention") return this.#attention(node, operands);
    if (node.op === "einsum") return this.#einsum(node, operands);
    // Operands and attributes are those of the node's own op.
    const lower = (this.#table as Lowerings)[node.op as OpName] as Lower | undefined;
    if (lower === undefined) throw new UnsupportedOpError(`ONNX Runtime has no lowering of ${node.op as OpName}`);
    return lower(operands, node.attrs, node);
  }

  #feed(node: Tensor, input: number): string {
    const own = `${input}_${inputName(node) ?? "input"}`;
    const declare = (shape: readonly number[]): string => {
      const name = shape === node.shape ? own : `${own}[${shape}]`;
      const type = { dtype: node.dtype, shape };
      if (!this.feeds.some((feed) => feed.name === name)) this.feeds.push({ name, type, input });
      return this.model.input(name, type, declare);
    };
    return declare(node.shape);
  }

  #draw(node: Tensor): string {
    const [key, counter] = node.inputs as [Tensor, Tensor];
    const draw = {
      key: this.#host.want(key, "a random key"),
      counter: this.#host.want(counter, "a random counter"),
      uniform: node.op === "uniform",
    };
    const name = `draw_${this.feeds.length}`;
    const type = { dtype: node.dtype, shape: node.shape };
    this.feeds.push({ name, type, draw });
    return this.model.input(name, type);
  }

  #attention(node: Tensor, [q, position, pastKeys, newKeys, pastValues, newValues]: string[]): string {
    const parts = {
      q: q!,
      position: position!,
      pastKeys: pastKeys!,
      newKeys: newKeys!,
      pastValues: pastValues!,
      newValues: newValues!,
    };
    const { scale } = node.attrs as { scale: number }; // the attributes of cachedAttention
    return appendedAttention(this.model, parts, node.inputs[0]!, node.inputs[1]!, scale);
  }

  /** A product with an operand times a number is the product, with the number as the factor that it takes anyway. */
  #einsum(node: Tensor, operands: string[]): string {
    const alpha = node.inputs.reduce((product, x) => product * (scaledOperand(x)?.by ?? 1), 1);
    return lowerEinsum(this.model, operands, node.attrs as string, node, alpha); // an einsum's attributes are its text
  }
}

/** A product of a tensor and a number, taken apart. */
function scaledOperand(x: Tensor): { of: Tensor; by: number } | undefined {
  if (x.op !== "mul") return undefined;
  const at = x.inputs.findIndex((y) => y.op === "constant" && y.shape.length === 0);
  const of = x.inputs[1 - at];
  if (at < 0 || of!.shape.length !== x.shape.length || size(of!.shape) !== size(x.shape)) return undefined;
  return { of: of!, by: (x.inputs[at]!.attrs as { data: readonly number[] }).data[0]! }; // the attributes of a constant
}
