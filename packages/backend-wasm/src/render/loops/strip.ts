import {
  type Expression,
  elementBytes,
  expressionsOf,
  type Index,
  type Load,
  operandsOf,
  type Place,
  type ProgramBuffer,
  variesAlong,
} from "@finegrain/codegen";
import type { Code, Local } from "../../assembler/code.ts";
import { ExpressionWriter, type Frame } from "../expressions/expression.ts";
import { WORD } from "../kernel.ts";

/** A kernel's function while it is written: its memory and where its loops stand. */
export interface KernelFrame {
  readonly code: Code;
  /** The address of every buffer. */
  readonly pointers: ReadonlyMap<ProgramBuffer, Local>;
  /** Of the loops that have begun, the current iteration, as a pointer-sized integer. */
  readonly coordinates: Map<number, Local>;
}

export interface StripOptions {
  /** What is computed in every iteration. */
  readonly roots: readonly Expression[];
  /** Where a value is stored in every iteration. */
  readonly store?: { readonly to: ProgramBuffer; readonly at: Index };
  /** The loop that the strip runs along; its coordinate, where it has one, is where the strip starts. */
  readonly along?: number | undefined;
  /** The loop whose iterations are the lanes. */
  readonly vector?: number | undefined;
  readonly lanes: 1 | 4;
  /** How many vectors of lanes an iteration writes, each 4 elements further along the vector loop. Default 1. */
  readonly vectors?: number;
}

/**
 * An innermost loop: addresses are computed once before it and moved along, and what does not change in it is computed before it.
 */
export class Strip {
  readonly #kernel: KernelFrame;
  readonly #options: StripOptions;
  readonly #places = new Map<Load | Place, Local>();
  /** What was computed before the loop, for each of the vectors. */
  readonly #known: readonly Map<Expression, Local>[];
  readonly #store: Load | undefined;

  constructor(kernel: KernelFrame, options: StripOptions) {
    this.#kernel = kernel;
    this.#options = options;
    const { store, vectors = 1 } = options;
    this.#known = Array.from({ length: vectors }, () => new Map<Expression, Local>());
    this.#store = store && { kind: "load", dtype: store.to.dtype, from: store.to, at: store.at };
    this.#prepare();
  }

  /**
   * A writer of the values of one iteration.
   *
   * @param at how many elements further along the vector loop, and further on in memory.
   */
  writer(at: Pick<Frame, "shift" | "displacement" | "reduced"> = {}, lanes = this.#options.lanes): ExpressionWriter {
    const { roots, vector } = this.#options;
    const known = this.#known[(at.shift ?? 0) / 4] ?? this.#known[0];
    return new ExpressionWriter(this.#kernel.code, this.#frame({ ...at, vector, lanes }), roots, known);
  }

  /** Pops a vector and stores its lanes, `shift` elements further along the vector loop. */
  store(shift = 0, lanes = this.#options.lanes): void {
    const { code } = this.#kernel;
    const { vector } = this.#options;
    const store = this.#store!;
    const value = code.local("v128");
    if (store.dtype === "bool") code.splat(1, "i32").vector("v128.and");
    code.set(value);
    const stride = vector === undefined ? 0 : store.at.strides[vector]!;
    const offset = WORD * stride * shift;
    const at = this.#places.get(store)!;
    if (lanes === 4 && stride === 1) code.get(at).get(value).vectorAccess("v128.store", offset);
    else
      for (let lane = 0; lane < lanes; lane++)
        code
          .get(at)
          .get(value)
          .laneAccess("v128.store32_lane", lane, offset + WORD * stride * lane);
  }

  /** Move every address `count` iterations along. */
  advance(count: number): void {
    const { code } = this.#kernel;
    const { along } = this.#options;
    if (along === undefined) return;
    for (const [e, local] of this.#places) {
      const stride = e.at.strides[along]!;
      if (stride === 0) continue;
      code.get(local);
      if (e.kind === "place") code.i32(stride * count).do("i32.add");
      else code.address(elementBytes(e.dtype) * stride * count).pointerOp("add");
      code.set(local);
    }
  }

  #isFixed = (e: Expression): boolean => {
    const { along, vector } = this.#options;
    return (along === undefined || !variesAlong(e, along)) && (vector === undefined || !variesAlong(e, vector));
  };

  #frame(given: Omit<Frame, "address" | "place" | "isFixed">): Frame {
    const { code } = this.#kernel;
    const push = (e: Load | Place) => void code.get(this.#places.get(e)!);
    return { ...given, address: push, place: push, isFixed: this.#isFixed };
  }

  #prepare(): void {
    const { roots, along, lanes, vector } = this.#options;
    const dynamic = this.#store?.at.dynamic.map(({ value }) => value) ?? [];
    const all = expressionsOf(...roots, ...dynamic);
    const before = vector === along ? undefined : vector;
    const ahead = (shift: number, known: ReadonlyMap<Expression, Local>) =>
      new ExpressionWriter(
        this.#kernel.code,
        this.#frame({ vector: before, lanes: before === undefined ? 4 : lanes, shift }),
        [],
        known,
      );
    const fixed = ahead(0, this.#known[0]!);
    for (const e of all) if (e.kind === "load" || e.kind === "place") this.#start(e, fixed);
    if (this.#store) this.#start(this.#store, fixed);
    if (along === undefined) return;
    for (const [k, known] of this.#known.entries())
      this.#hoist([...roots, ...dynamic], along, k === 0 ? fixed : ahead(4 * k, known), known);
  }

  /** The place of an element at the start of the strip, into a local. */
  #start(e: Load | Place, writer: ExpressionWriter): void {
    const { code, coordinates, pointers } = this.#kernel;
    const size = e.kind === "load" ? elementBytes(e.dtype) : 1;
    if (e.kind === "load")
      code
        .get(pointers.get(e.from)!)
        .address(size * e.at.offset)
        .pointerOp("add");
    else code.address(e.at.offset);
    e.at.strides.forEach((stride, loop) => {
      const at = coordinates.get(loop);
      if (stride !== 0 && at !== undefined)
        code
          .get(at)
          .address(size * stride)
          .pointerOp("mul")
          .pointerOp("add");
    });
    for (const { value, stride } of e.at.dynamic) {
      if (!this.#isFixed(value)) continue;
      writer.write(value);
      code
        .lane("i32x4.extract_lane", 0)
        .toPointer()
        .address(size * stride)
        .pointerOp("mul")
        .pointerOp("add");
    }
    if (e.kind === "place" && code.wide) code.do("i32.wrap_i64");
    const local = code.local(e.kind === "place" ? "i32" : "pointer");
    code.set(local);
    this.#places.set(e, local);
  }

  /** Compute before the loop what does not change in it, for one of the vectors; what is the same for all of them only once. */
  #hoist(roots: readonly Expression[], along: number, writer: ExpressionWriter, known: Map<Expression, Local>): void {
    const { code } = this.#kernel;
    const { vector } = this.#options;
    const visit = (e: Expression): void => {
      const shared = vector === undefined || !variesAlong(e, vector) ? this.#known[0]!.get(e) : undefined;
      if (shared !== undefined) known.set(e, shared);
      if (known.has(e) || e.kind === "literal" || containsReduced(e)) {
        if (e.kind === "call") operandsOf(e).forEach(visit);
        return;
      }
      if (variesAlong(e, along)) {
        operandsOf(e).forEach(visit);
        return;
      }
      writer.write(e);
      const local = code.local("v128");
      code.set(local);
      known.set(e, local);
    };
    roots.forEach(visit);
  }
}

const containsReduced = (e: Expression): boolean => expressionsOf(e).some(({ kind }) => kind === "reduced");
