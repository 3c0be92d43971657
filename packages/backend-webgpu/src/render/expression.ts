import { type Expression, type Index, type Literal, type Load, variesAlong } from "@finegrain/codegen";
import type { Bindings } from "./bindings.ts";
import type { Block } from "./block.ts";
import { scalarOpTable, wgslType } from "./scalar-ops.ts";

/** One scope of a kernel: the loops that are known in it, by the text of their variables. */
export interface Scope {
  readonly block: Block;
  readonly loops: ReadonlyMap<number, string>;
}

/** What writers whose scopes differ in some loops alone need to write once. */
export interface Common {
  /** The loops in which they differ. */
  readonly apart: readonly number[];
  /** What does not change along those. */
  readonly known: Map<Expression, string>;
}

/** Elements of four neighbours along one loop. */
type Lanes = 1 | 4;

/**
 * Writes expressions as WGSL. What does not change along the loops of an inner scope is written into the scope around it, once.
 */
export class ExpressionWriter {
  readonly #bindings: Bindings;
  readonly #scopes: readonly Scope[];
  /** The loop whose neighbours are the lanes of a vector. */
  readonly #vector: number | undefined;
  readonly #reduced: string | undefined;
  readonly #known = { 1: new Map<Expression, string>(), 4: new Map<Expression, string>() };
  readonly #common: Common | undefined;

  /**
   * @param scopes outermost first.
   * @param vector the loop whose neighbours are the lanes of a vector, where vectors are asked for.
   * @param reduced what the kernel's reduction came to.
   * @param common what writers in the same scopes have in common.
   */
  constructor(
    bindings: Bindings,
    scopes: readonly Scope[],
    { vector, reduced, common }: { vector?: number; reduced?: string; common?: Common } = {},
  ) {
    this.#bindings = bindings;
    this.#scopes = scopes;
    this.#vector = vector;
    this.#reduced = reduced;
    this.#common = common;
  }

  /** @returns a name or a literal: of one element, or of four along the vector's loop. */
  value(e: Expression, lanes: Lanes = 1): string {
    const common = this.#common;
    const all = lanes === 1 && common?.apart.every((loop) => !variesAlong(e, loop)) ? common.known : this.#known[lanes];
    const known = all.get(e);
    if (known !== undefined) return known;
    const text = this.#value(e, lanes);
    all.set(e, text);
    return text;
  }

  #value(e: Expression, lanes: Lanes): string {
    if (e.kind === "reduced") return this.#reduced!;
    if (lanes === 4 && !this.#isVector(e)) return `${wgslType(e.dtype, 4)}(${this.value(e)})`;
    if (e.kind === "literal") return literalText(e);
    return this.#blockOf((loop) => variesAlong(e, loop)).let(this.#text(e, lanes));
  }

  /** Whether the lanes of a vector differ. */
  #isVector(e: Expression): boolean {
    if (e.kind === "call") return e.args.some((arg) => this.#isVector(arg));
    return e.kind === "reduced" || (this.#vector !== undefined && variesAlong(e, this.#vector));
  }

  #text(e: Exclude<Expression, Literal>, lanes: Lanes): string {
    switch (e.kind) {
      case "reduced":
        return this.#reduced!;
      case "load":
        return lanes === 1 ? this.#bindings.load(e.from, this.index(e.at)) : this.#four(e);
      case "place":
        return lanes === 1 ? `i32(${this.index(e.at)})` : `vec4i(${this.#fourIndices(e.at)})`;
      case "call": {
        const args = e.args.map((arg, k) => this.value(arg, e.op === "shiftRight" && k === 1 ? 1 : lanes));
        return scalarOpTable[e.op]({ args, result: e.dtype, lanes });
      }
    }
  }

  #four(load: Load): string {
    const { at, from } = load;
    if (isAligned(load, this.#vector!)) return this.#bindings.load(from, this.index(at, 4), 4);
    const indices = this.#blockOf(() => true).let(this.#fourIndices(at));
    return `${wgslType(load.dtype, 4)}(${["x", "y", "z", "w"].map((lane) => this.#bindings.load(from, `${indices}.${lane}`)).join(", ")})`;
  }

  /** Text of the vec4u of the indices of four neighbours. */
  #fourIndices(at: Index): string {
    const vector = this.#vector!;
    const fixed = at.dynamic.filter(({ value }) => !variesAlong(value, vector));
    const first = this.index({ ...at, dynamic: fixed });
    const stride = at.strides[vector]!;
    const steps = `vec4u(${[0, 1, 2, 3].map((k) => unsigned(k * stride)).join(", ")})`;
    const along = at.dynamic.filter(({ value }) => variesAlong(value, vector));
    const terms = along.map(
      ({ value, stride: step, extent }) =>
        `min(vec4u(${this.value(value, 4)}), vec4u(${extent - 1}u)) * ${unsigned(step)}`,
    );
    return [`vec4u(${first})`, steps, ...terms].join(" + ");
  }

  /**
   * Text of an index as a u32, of the first lane. What is data in it is clamped, so that no index leaves its buffer.
   * @param unit 4 for the index of the four neighbours, where they are aligned.
   */
  index(at: Index, unit: Lanes = 1): string {
    let sum: string | undefined = at.offset === 0 ? undefined : unsigned(at.offset / unit);
    for (const [depth, { block, loops }] of this.#scopes.entries()) {
      const terms = [...loops].flatMap(([loop, name]) =>
        unit === 4 && loop === this.#vector ? [block.fourth(name)] : term(name, at.strides[loop]! / unit),
      );
      for (const { value, stride, extent } of at.dynamic)
        if (this.#depthOf((loop) => variesAlong(value, loop)) === depth)
          terms.push(...term(`min(u32(${this.value(value)}), ${extent - 1}u)`, stride / unit));
      if (terms.length === 0) continue;
      sum = block.let([...(sum === undefined ? [] : [sum]), ...terms].join(" + "));
    }
    return sum ?? "0u";
  }

  /** The innermost scope whose loops a value changes along. */
  #depthOf(varies: (loop: number) => boolean): number {
    return Math.max(
      0,
      this.#scopes.findLastIndex(({ loops }) => [...loops.keys()].some(varies)),
    );
  }

  #blockOf(varies: (loop: number) => boolean): Block {
    return this.#scopes[this.#depthOf(varies)]!.block;
  }
}

/** Whether four neighbours along a loop lie side by side, from a multiple of four on. */
export function isAligned({ at }: { readonly at: Index }, vector: number): boolean {
  return (
    at.strides[vector] === 1 &&
    at.offset % 4 === 0 &&
    at.strides.every((stride, loop) => loop === vector || stride % 4 === 0) &&
    at.dynamic.every(({ value, stride }) => stride % 4 === 0 && !variesAlong(value, vector))
  );
}

/** An integer as a u32 that sums wrap around to. */
export const unsigned = (value: number): string => `${value >>> 0}u`;

const term = (name: string, stride: number): string[] =>
  stride === 0 ? [] : [stride === 1 ? name : `${name} * ${unsigned(stride)}`];

function literalText({ value, dtype }: Literal): string {
  if (dtype === "bool") return String(value !== 0);
  if (dtype === "int32") return value === -(2 ** 31) ? "i32(-2147483647 - 1)" : `i32(${value})`;
  if (Number.isNaN(value)) return "bitcast<f32>(nan_bits)";
  if (!Number.isFinite(value)) return `${value < 0 ? "-" : ""}bitcast<f32>(infinity_bits)`;
  return `f32(${Math.fround(value)})`;
}
