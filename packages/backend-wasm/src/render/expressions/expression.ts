import { type Expression, expressionsOf, type Load, operandsOf, type Place, variesAlong } from "@finegrain/codegen";
import type { DType } from "@finegrain/graph";
import type { Code, Local } from "../../assembler/code.ts";
import { type ElementAccess, elementAccess } from "./element-access.ts";
import { scalarOpTable } from "./scalar-ops.ts";

/** Where the parts of an index come from, at one point of a kernel. */
export interface Frame {
  /** The loop whose iterations are the lanes of a vector; undefined where there is one element only. */
  readonly vector: number | undefined;
  readonly lanes: 1 | 4;
  /** Pushes the address of a load's element in the first lane, without the dynamic terms that vary here. */
  address(load: Load): void;
  /** Pushes a place's value in the first lane as an i32, likewise. */
  place(place: Place): void;
  /** Whether a value is the same in the whole of the loop that is being written. */
  isFixed(value: Expression): boolean;
  /** What the reduction came to. */
  readonly reduced?: Local | undefined;
  /** Elements further along the vector loop. */
  readonly shift?: number;
  /** Elements of memory further on: where loads of neighbours share an address. */
  readonly displacement?: number;
}

/** Writes expressions as vectors of four lanes. */
export class ExpressionWriter {
  readonly #code: Code;
  readonly #frame: Frame;
  readonly #known: Map<Expression, Local>;
  readonly #shared: ReadonlySet<Expression>;

  /** @param known values that are in locals already. */
  constructor(
    code: Code,
    frame: Frame,
    roots: readonly Expression[],
    known: ReadonlyMap<Expression, Local> = new Map(),
  ) {
    this.#code = code;
    this.#frame = frame;
    this.#known = new Map(known);
    this.#shared = usedTwice(roots);
  }

  /** Pushes the value as a v128. */
  write(e: Expression): void {
    const code = this.#code;
    const known = this.#known.get(e);
    if (known !== undefined) {
      code.get(known);
      return;
    }
    this.#compute(e);
    if (!this.#shared.has(e) || e.kind === "literal" || e.kind === "reduced") return;
    const local = code.local("v128");
    this.#known.set(e, local);
    code.tee(local);
  }

  #compute(e: Expression): void {
    const code = this.#code;
    switch (e.kind) {
      case "literal":
        code.splat(e.dtype === "bool" ? -e.value : e.value, e.dtype === "float32" ? "f32" : "i32");
        return;
      case "reduced":
        code.get(this.#frame.reduced!);
        return;
      case "load":
        this.#load(e);
        return;
      case "place":
        this.#place(e);
        return;
      case "call": {
        for (const arg of e.args) this.write(arg);
        const last = e.args.at(-1)!;
        const operand = e.args.at(e.op === "select" ? 1 : 0)!;
        scalarOpTable[e.op]({
          code,
          dtype: operand.dtype,
          result: e.dtype,
          lanes: this.#frame.lanes,
          last: last.kind === "literal" ? last : undefined,
        });
      }
    }
  }

  #load(load: Load): void {
    const { vector, lanes, shift = 0, displacement = 0 } = this.#frame;
    const code = this.#code;
    const memory = elementAccess(load.dtype);
    const stride = vector === undefined ? 0 : load.at.strides[vector]!;
    const offset = memory.bytes * (stride * shift + displacement);
    const open = load.at.dynamic.filter(({ value }) => !this.#frame.isFixed(value));
    const along = open.filter(({ value }) => vector !== undefined && variesAlong(value, vector));
    if (along.length > 0 && lanes > 1) this.#gather(load, stride * memory.bytes, offset, open);
    else {
      this.#frame.address(load);
      for (const { value, stride: step } of open) {
        this.write(value);
        code.lane("i32x4.extract_lane", 0);
        this.#addBytes(memory.bytes * step);
      }
      if (stride === 0) memory.everywhere(code, offset);
      else if (lanes === 1) memory.one(code, offset);
      else if (stride === 1) memory.four(code, offset);
      else this.#strided(memory, stride * memory.bytes, offset);
    }
    if (load.dtype === "bool") code.splat(0, "i32").vector("i32x4.ne");
  }

  /** Four elements apart from each other, from the address on the stack. */
  #strided(memory: ElementAccess, step: number, offset: number): void {
    const code = this.#code;
    const at = code.local("pointer");
    const value = code.local("v128");
    code.tee(at);
    memory.one(code, offset);
    code.set(value);
    for (let lane = 1; lane < 4; lane++) {
      memory.lane(code, { at, value, lane, offset: offset + step * lane });
      code.set(value);
    }
    code.get(value);
  }

  /** Four elements, each at its own place. */
  #gather(load: Load, step: number, offset: number, open: Load["at"]["dynamic"]): void {
    const code = this.#code;
    const memory = elementAccess(load.dtype);
    const [start, at] = [code.local("pointer"), code.local("pointer")];
    const value = code.local("v128");
    this.#frame.address(load);
    code.set(start).splat(0, "i32").set(value);
    const terms = open.map(({ value: term, stride }) => {
      this.write(term);
      const local = code.local("v128");
      code.set(local);
      return { local, bytes: memory.bytes * stride };
    });
    for (let lane = 0; lane < 4; lane++) {
      code.get(start);
      for (const { local, bytes } of terms) {
        code.get(local).lane("i32x4.extract_lane", lane);
        this.#addBytes(bytes);
      }
      code.set(at);
      memory.lane(code, { at, value, lane, offset: offset + step * lane });
      code.set(value);
    }
    code.get(value);
  }

  /** address + (i32 on the stack) * bytes. */
  #addBytes(bytes: number): void {
    this.#code.toPointer().address(bytes).pointerOp("mul").pointerOp("add");
  }

  #place(place: Place): void {
    const { vector, lanes, shift = 0 } = this.#frame;
    const code = this.#code;
    const stride = vector === undefined ? 0 : place.at.strides[vector]!;
    this.#frame.place(place);
    code.vector("i32x4.splat");
    const first = stride * shift;
    if (stride !== 0 && (lanes > 1 || shift > 0))
      code.lanes([first, first + stride, first + 2 * stride, first + 3 * stride], "i32").vector("i32x4.add");
    for (const { value, stride: step } of place.at.dynamic) {
      if (this.#frame.isFixed(value)) continue;
      this.write(value);
      code.splat(step, "i32").vector("i32x4.mul", "i32x4.add");
    }
  }
}

function usedTwice(roots: readonly Expression[]): Set<Expression> {
  const uses = new Map<Expression, number>();
  const count = (e: Expression) => uses.set(e, (uses.get(e) ?? 0) + 1);
  roots.forEach(count);
  for (const e of expressionsOf(...roots)) operandsOf(e).forEach(count);
  return new Set([...uses].filter(([, n]) => n > 1).map(([e]) => e));
}

/** Makes a vector what is stored: a bool is 0 or 1. */
export function asStored(code: Code, dtype: DType): void {
  if (dtype === "bool") code.splat(1, "i32").vector("v128.and");
}
