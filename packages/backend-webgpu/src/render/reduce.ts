import { expressionsOf, type Load, type LoopKernel, type Reduction, variesAlong } from "@finegrain/codegen";
import { size } from "@finegrain/graph";
import { Block } from "./block.ts";
import { ExpressionWriter, isAligned } from "./expression.ts";
import { joinParts } from "./join-parts.ts";
import { loopEnd, type Opening, type RenderedKernel, share } from "./kernel.ts";
import { decode, decodeItem, storeResult } from "./loops.ts";

/** What the lanes of a vector are: neighbours of the result, neighbours of the sum, or there is no vector. */
type Vector = "columns" | "depth" | "none";

/** How a reduction is shared. */
interface Plan {
  readonly vector: Vector;
  /** Lanes that share one sum. */
  readonly parts: number;
  /** Steps of one sum. */
  readonly steps: number;
}

/** A sum is not cut into parts of fewer steps than this. */
const FEW_STEPS = 4;
/** Lanes that read neighbours together fill a line of memory. */
const LINE_LANES = 8;
/** Steps of a sum that a lane of a GPU reads at once. */
const UNROLLED = 4;

/**
 * A kernel with a reduction. Several lanes share the sum of an element, or of four neighbours of them, and add up what they have in the
 * workgroup's memory, or between the invocations of a subgroup.
 */
export function renderReduce(kernel: LoopKernel, opening: Opening): RenderedKernel {
  const plan = planReduction(kernel, opening);
  const items = size(kernel.extents);
  const { target } = opening;
  const { lanes } = target;
  const together = (lanes / plan.parts) * (plan.vector === "columns" ? 4 : 1);
  const text = new Writer(kernel, opening, plan).write();
  return { text, items, each: share(items, together, target), memory: plan.parts === 1 ? {} : { scratch: lanes } };
}

function planReduction({ extents, reduction }: LoopKernel, { target, row }: Opening): Plan {
  const { op, body, extents: reduced } = reduction!;
  const all = [...extents, ...reduced];
  const [column, depth] = [extents.length - 1, all.length - 1];
  const touched = (load: Load) => size(all.filter((_, loop) => variesAlong(load, loop)));
  const widest = expressionsOf(body)
    .filter((e): e is Load => e.kind === "load" && e.dtype !== "bool")
    .reduce<Load | undefined>((best, load) => (best && touched(best) >= touched(load) ? best : load), undefined);
  const fits = (loop: number) => loop >= 0 && all[loop]! % 4 === 0 && widest !== undefined && isAligned(widest, loop);
  const columns = extents.length > 0 && fits(column) && (row === undefined || row % 4 === 0);
  const vector =
    op === "argMax" || (reduced.length > 0 && !widest)
      ? "none"
      : columns
        ? "columns"
        : reduced.length > 0 && fits(depth)
          ? "depth"
          : "none";
  const sums = (row ?? size(extents)) / (vector === "columns" ? 4 : 1);
  const steps = size(reduced) / (vector === "depth" ? 4 : 1);
  const wanted = row === undefined ? target.wanted : target.lanes;
  const least = vector === "columns" || target.cpu ? 1 : LINE_LANES;
  let parts = 1;
  while ((sums * parts < wanted || parts < least) && 2 * parts <= target.lanes && steps >= 2 * parts * FEW_STEPS)
    parts *= 2;
  return { vector, parts, steps };
}

class Writer {
  readonly #kernel: LoopKernel;
  readonly #reduction: Reduction;
  readonly #opening: Opening;
  readonly #plan: Plan;
  readonly #type: string;
  /** The variable that has the sum in the end. */
  #total = "total";

  constructor(kernel: LoopKernel, opening: Opening, plan: Plan) {
    this.#kernel = kernel;
    this.#reduction = kernel.reduction!; // asked for by the caller
    this.#opening = opening;
    this.#plan = plan;
    const scalar = this.#reduction.body.dtype === "int32" ? "i32" : "f32";
    this.#type = plan.vector === "none" ? scalar : `vec4<${scalar}>`;
  }

  write(): string {
    const { name, target } = this.#opening;
    const { parts, vector } = this.#plan;
    const sums = target.lanes / parts;
    const step = sums * (vector === "columns" ? 4 : 1);
    return new Block()
      .nest(`fn ${name}(first: u32, last: u32, lane: u32, zero: u32)`, (body) => {
        // Neighbouring lanes read neighbours: along the columns, or along the sum.
        body.add(
          vector === "columns"
            ? `let part = lane / ${sums}u; let own = 4u * (lane % ${sums}u);`
            : `let part = lane % ${parts}u; let own = lane / ${parts}u;`,
        );
        body.nest(`for (var base = first; base < last; base += ${step}u)`, (block) => this.#sum(block));
      })
      .lines.join("\n");
  }

  /** One pass of all lanes: they compute the last element again where there is none left for them. */
  #sum(block: Block): void {
    const { extents } = this.#kernel;
    const { vector, parts } = this.#plan;
    const width = vector === "columns" ? 4 : 1;
    block.add(`let item = min(base + own, last - ${width}u);`);
    const loops = decodeItem(block, extents, this.#opening.row);
    if (this.#reduction.op === "argMax") this.#argMax(block, loops);
    else this.#fold(block, loops);
    block.nest(`if (${parts > 1 ? "part == 0u && " : ""}base + own < last)`, (inner) => {
      const reduced = this.#reduction.op === "argMax" ? "i32(best)" : this.#total;
      const four = vector === "columns";
      storeResult(this.#kernel, { block: inner, loops, bindings: this.#opening.bindings, reduced, four });
    });
  }

  #steps(
    block: Block,
    loops: ReadonlyMap<number, string>,
    write: (inner: Block, writer: ExpressionWriter) => void,
  ): void {
    const { extents } = this.#kernel;
    const { vector, parts, steps } = this.#plan;
    const all = [...extents, ...this.#reduction.extents];
    const reduced = all.map((_, loop) => loop).slice(extents.length);
    const { target, bindings } = this.#opening;
    const even = this.#reduction.op !== "argMax" && steps % (parts * UNROLLED) === 0;
    const unrolled = even && !target.cpu ? UNROLLED : 1;
    const at = vector === "columns" ? extents.length - 1 : vector === "depth" ? all.length - 1 : undefined;
    block.nest(`for (var step = part; step < ${loopEnd(steps, target)}; step += ${parts * unrolled}u)`, (inner) => {
      for (let k = 0; k < unrolled; k++) {
        const step = k === 0 ? "step" : inner.let(`step + ${k * parts}u`);
        const element = vector === "depth" ? inner.fours(step) : step;
        const scopes = [
          { block, loops },
          { block: inner, loops: decode(inner, element, reduced, all) },
        ];
        write(inner, new ExpressionWriter(bindings, scopes, at === undefined ? {} : { vector: at }));
      }
    });
  }

  /** Sums, or takes the maximum, in `total`. */
  #fold(block: Block, loops: ReadonlyMap<number, string>): void {
    const { op, body } = this.#reduction;
    const { vector } = this.#plan;
    const join = (a: string, b: string) => (op === "sum" ? `${a} + ${b}` : `max(${a}, ${b})`);
    block.add(`var total = ${op === "sum" ? `${this.#type}(0)` : lowest(this.#type)};`);
    this.#steps(block, loops, (inner, writer) => {
      inner.add(`total = ${join("total", writer.value(body, vector === "none" ? 1 : 4))};`);
    });
    let total = "total";
    if (vector === "depth") {
      const lanes = ["x", "y", "z", "w"].map((lane) => `total.${lane}`);
      block.add(`var whole = ${lanes.reduce((a, b) => join(a, b))};`);
      total = "whole";
    }
    this.#total = total;
    this.#gather(block, total, join);
  }

  /** Bring the parts of a sum together, so that the lane of its first part has it all. */
  #gather(block: Block, total: string, join: (a: string, b: string) => string): void {
    const { vector, parts } = this.#plan;
    const { lanes, subgroup } = this.#opening.target;
    if (parts === 1) return;
    // Within a subgroup without memory, between subgroups through it.
    const shuffled = vector === "columns" ? 1 : Math.min(parts, subgroup);
    for (let half = shuffled / 2; half >= 1; half /= 2)
      block.add(`${total} = ${join(total, `subgroupShuffleXor(${total}, ${half}u)`)};`);
    if (shuffled === parts) return;
    const [pack, unpack] = this.#packing();
    const stride = vector === "columns" ? lanes / parts : shuffled;
    joinParts(block, { parts: parts / shuffled, stride, unit: shuffled }, this.#opening.target, {
      keep: [`scratch[lane] = ${pack(total)};`],
      add: (other) => [`${total} = ${join(total, unpack(`scratch[${other}]`))};`],
    });
  }

  /** To and from the words of `scratch`. */
  #packing(): [pack: (value: string) => string, unpack: (value: string) => string] {
    if (this.#plan.vector === "columns") return [(v) => `bitcast<vec4u>(${v})`, (v) => `bitcast<${this.#type}>(${v})`];
    const scalar = this.#reduction.body.dtype === "int32" ? "i32" : "f32";
    return [(v) => `vec4u(bitcast<u32>(${v}))`, (v) => `bitcast<${scalar}>(${v}.x)`];
  }

  /** The index of the largest in `best`, the first of equals. */
  #argMax(block: Block, loops: ReadonlyMap<number, string>): void {
    const { body } = this.#reduction;
    const { parts } = this.#plan;
    block.add(`var total = ${lowest(this.#type)};`, "var best = 0u;", "var found = false;");
    this.#steps(block, loops, (inner, writer) => {
      const value = writer.value(body);
      inner.add(`if (!found || ${value} > total) { total = ${value}; best = step; found = true; }`);
    });
    if (parts === 1) return;
    joinParts(block, { parts, stride: 1 }, this.#opening.target, {
      keep: ["scratch[lane] = vec4u(bitcast<u32>(total), best, u32(found), 0);"],
      add: (other) => [
        `let them = scratch[${other}];`,
        `let theirs = bitcast<${this.#type}>(them.x);`,
        "let wins = !found || theirs > total || (theirs == total && them.y < best);",
        "if (them.z != 0u && wins) { total = theirs; best = them.y; found = true; }",
      ],
    });
  }
}

const lowest = (type: string): string =>
  type.includes("i32") ? `${type}(-2147483647 - 1)` : `${type}(-bitcast<f32>(infinity_bits))`;
