import { catalog, type DType, type HostTensor, hostTensor, philox, size } from "@finegrain/graph";
import type {
  Dispatch,
  Expression,
  Index,
  Kernel,
  LoopKernel,
  MemoryPlan,
  Program,
  ProgramBuffer,
} from "../src/index.ts";

/*
 * What a program's kernels mean, in float64, one element at a time: to show that what codegen makes of a graph is that graph. Memory is laid out as the
 * plan says, and holds NaN until it is written.
 */
export class Machine {
  readonly #program: Program;
  readonly #plan: MemoryPlan;
  readonly #arena: Float64Array;
  readonly #given = new Map<ProgramBuffer, Float64Array>();

  constructor(program: Program, plan: MemoryPlan, inputs: readonly HostTensor[]) {
    this.#program = program;
    this.#plan = plan;
    this.#arena = new Float64Array(plan.bytes / 4).fill(NaN);
    program.inputs.forEach((buffer, i) => {
      this.#given.set(buffer, Float64Array.from(inputs[i]!.data));
    });
    for (const buffer of plan.offsets.keys())
      if (buffer.place.kind === "constant") this.#memory(buffer).set(buffer.place.data);
  }

  get outputs(): HostTensor[] {
    return this.#program.outputs.map((buffer, i) => {
      const { dtype, shape } = this.#program.graph.outputs[i]!;
      const values = this.#memory(buffer);
      return hostTensor(dtype, shape, dtype === "int32" ? Int32Array.from(values) : Float32Array.from(values));
    });
  }

  #memory(buffer: ProgramBuffer): Float64Array {
    const offset = this.#plan.offsets.get(buffer);
    if (offset !== undefined) return this.#arena.subarray(offset / 4, offset / 4 + buffer.size);
    const known = this.#given.get(buffer) ?? new Float64Array(buffer.size).fill(NaN);
    this.#given.set(buffer, known);
    return known;
  }

  /** Run the kernel's parallel iterations from `from` until before `to`; a kernel that is no loop as a whole. */
  run(kernel: Kernel, from = 0, to = Number.POSITIVE_INFINITY): void {
    if (kernel.kind === "loop") {
      const end = Math.min(to, size(kernel.extents));
      for (let i = from; i < end; i++) this.#iterate(kernel, i);
    } else this.#memory(kernel.to).set(this.#whole(kernel));
  }

  #whole(kernel: Exclude<Kernel, LoopKernel>): ArrayLike<number> {
    switch (kernel.kind) {
      case "scatterAdd": {
        const indices = hostTensor("int32", [kernel.count], Int32Array.from(this.#memory(kernel.indices)));
        const updates: HostTensor = {
          dtype: "float32",
          shape: [kernel.count, kernel.width],
          data: Float32Array.from(this.#memory(kernel.updates)),
        };
        const out = { dtype: "float32", shape: [kernel.rows, kernel.width] } as const;
        return catalog.scatterAdd.evaluate([indices, updates], { rows: kernel.rows }, out);
      }
      case "topK": {
        const { rows, length, k } = kernel;
        const from = hostTensor("float32", [rows, length], Float32Array.from(this.#memory(kernel.from)));
        return catalog.topK.evaluate([from], { k }, { dtype: "int32", shape: [rows, k] });
      }
      case "randomBits":
        return philox(this.#memory(kernel.key), this.#memory(kernel.counter), kernel.to.size);
      case "fromInt4":
      case "int4Product":
      case "int4InputsProduct":
        throw new Error(`${kernel.kind} is tested where it is rendered`);
    }
  }

  #iterate({ extents, reduction, result, at, to }: LoopKernel, iteration: number): void {
    const own = digits(iteration, extents);
    const loops = [...own, ...(reduction?.extents ?? []).map(() => 0)];
    let reduced = NaN;
    if (reduction) {
      const length = reduction.until ? this.#value(reduction.until, loops, NaN) : size(reduction.extents);
      const values = Array.from({ length }, (_, i) =>
        this.#value(reduction.body, [...own, ...digits(i, reduction.extents)], NaN),
      );
      reduced = reductions[reduction.op](values);
    }
    this.#memory(to)[this.#place(at, loops)] = this.#value(result, loops, reduced);
  }

  #place({ offset, strides, dynamic }: Index, loops: readonly number[]): number {
    const fixed = strides.reduce((sum, stride, loop) => sum + stride * loops[loop]!, offset);
    return dynamic.reduce((sum, { value, stride }) => sum + stride * this.#value(value, loops, NaN), fixed);
  }

  #value(e: Expression, loops: readonly number[], reduced: number): number {
    switch (e.kind) {
      case "literal":
        return e.value;
      case "place":
        return this.#place(e.at, loops);
      case "reduced":
        return reduced;
      case "load":
        return this.#memory(e.from)[this.#place(e.at, loops)] ?? NaN;
      case "call": {
        const args = e.args.map((arg) => scalar(arg.dtype, this.#value(arg, loops, reduced)));
        const attrs = e.op === "cast" ? e.dtype : e.op === "shiftRight" ? { bits: args.pop()!.data[0] } : undefined;
        return catalog[e.op].evaluate(args, attrs, { dtype: e.dtype, shape: [] })[0]!;
      }
    }
  }
}

const scalar = (dtype: DType, value: number): HostTensor => ({ dtype, shape: [], data: Float64Array.of(value) });

const digits = (number: number, extents: readonly number[]): number[] =>
  extents.map((extent, i) => Math.floor(number / size(extents.slice(i + 1))) % extent);

const reductions = {
  sum: (values: readonly number[]) => values.reduce((a, b) => a + b, 0),
  max: (values: readonly number[]) => values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY),
  argMax: (values: readonly number[]) => values.indexOf(Math.max(...values)),
};

/**
 * Run a schedule's dispatches one after the other, the branches and rows of each in an order that `draw` picks, kernel by kernel.
 * @param draw a whole number from 0 to before its argument.
 */
export function runDispatches(
  machine: Machine,
  dispatches: readonly Dispatch[],
  draw: (below: number) => number,
): void {
  for (const { branches } of dispatches) {
    const waiting = branches.flatMap(({ rows, kernels }) => {
      const workgroups = rows || WORKGROUPS;
      return Array.from({ length: workgroups }, (_, row) =>
        kernels.map((kernel) => () => {
          if (kernel.kind !== "loop") return row === 0 ? machine.run(kernel) : undefined;
          const each = Math.ceil(size(kernel.extents) / workgroups);
          return machine.run(kernel, row * each, (row + 1) * each);
        }),
      );
    });
    while (waiting.length > 0) {
      const at = draw(waiting.length);
      waiting[at]!.shift()!();
      if (waiting[at]!.length === 0) waiting.splice(at, 1);
    }
  }
}
/** Over which a kernel of its own is spread. */
const WORKGROUPS = 4;
