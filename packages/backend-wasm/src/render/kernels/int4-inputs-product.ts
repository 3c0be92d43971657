import { elementBytes, type Int4InputsProductKernel, type ProgramBuffer } from "@finegrain/codegen";
import { INT4_GROUP } from "@finegrain/graph";
import type { Code, Local } from "../../assembler/code.ts";
import { type Opening, type Target, WORD } from "../kernel.ts";
import type { Division } from "../loops/loop-renderer.ts";
import { GROUP_BYTES, loadNumbers, splitHalves } from "./int4-groups.ts";
import { roundGroup } from "./round-to-8-bits.ts";

/** The largest weight of 4 bits. */
const LARGEST = 15;
/** Pairs of inputs of 8 bits whose products fit a sum of 16 bits, whatever they are. */
const SAFE_PAIRS = 8;
const ALL_PAIRS = INT4_GROUP / 2;
/**
 * Products of a whole group fit a sum of 16 bits where the squares of its inputs sum to no more: by Cauchy and Schwarz their magnitudes then sum
 * to at most what 15 times is 32767.
 */
const SAFE_SQUARES = Math.floor((32767 / LARGEST) ** 2 / INT4_GROUP);

/** Where a thread's memory has a group's numbers, and of those that are not 0 the numbers and the places of their weights. */
const NUMBERS_AT = INT4_GROUP;
const PLACES_AT = NUMBERS_AT + INT4_GROUP + 16;
const SEEN_AT = PLACES_AT + WORD * (INT4_GROUP + 1);
const SCRATCH = SEEN_AT + WORD;
/** Bytes that come from memory together. */
const LINE = 64;

/**
 * Products in whole numbers that read only the weights of inputs that are not 0. Each thread goes from group to group of 32 inputs: it rounds them to
 * 8 bits and lists those that are not 0, then, for every 32 of its outputs, sums the products of pairs of these in 16 bits, which the group's scales
 * make numbers.
 */
export function renderInt4InputsProduct(
  kernel: Int4InputsProductKernel,
  opening: Opening,
  { relaxed }: Target,
): Division {
  const { x, to, count, groups, rows } = kernel;
  const { code, pointers, begin, end, scratch } = opening;
  const [vector, group, from, at] = pointersOf(code, 4) as [Local, Local, Local, Local];
  const writer = new Writer(kernel, opening, relaxed);
  code.get(pointers.get(x)!).set(from);
  code.count(vector, { to: () => code.address(count) }, () => {
    const zero = code.local("pointer");
    const result = () => placed(code, () => code.get(pointers.get(to)!), vector, WORD * rows);
    result();
    code.set(writer.to);
    code.count(zero, { from: () => code.get(begin), to: () => code.get(end) }, () => {
      placed(code, () => code.get(writer.to), zero, WORD * INT4_GROUP);
      code.set(at);
      for (let i = 0; i < INT4_GROUP / 4; i++)
        code
          .get(at)
          .splat(0, "f32")
          .vectorAccess("v128.store", 4 * WORD * i);
    });
    code.count(group, { to: () => code.address(groups) }, () => {
      const rounded = roundGroup(code, from, scratch, 1);
      writer.list(rounded);
      writer.fetch(group);
      writer.outputs(group);
      code
        .get(from)
        .address(WORD * INT4_GROUP)
        .pointerOp("add")
        .set(from);
    });
  });
  return { units: rows / INT4_GROUP, grain: 1, rows: count === 1 ? rows / INT4_GROUP : 1, scratch: SCRATCH };
}

const pointersOf = (code: Code, count: number): Local[] => Array.from({ length: count }, () => code.local("pointer"));

/** Pushes base + index * bytes. */
const placed = (code: Code, base: () => void, index: Local, bytes: number): Code => {
  base();
  return code.get(index).address(bytes).pointerOp("mul").pointerOp("add");
};

class Writer {
  readonly #kernel: Int4InputsProductKernel;
  readonly #opening: Opening;
  readonly #relaxed: boolean;
  readonly #code: Code;
  /** The results of the vector at hand. */
  readonly to: Local;
  /** Inputs that are not 0, and pairs of them that are summed at once. */
  readonly #listed: Local;
  readonly #together: Local;
  /** In every lane: the group's step, and that times the sum of its numbers until its minima are added. */
  readonly #step: Local;
  readonly #sum: Local;

  constructor(kernel: Int4InputsProductKernel, opening: Opening, relaxed: boolean) {
    this.#kernel = kernel;
    this.#opening = opening;
    this.#relaxed = relaxed;
    const code = opening.code;
    this.#code = code;
    [this.to, this.#listed, this.#together] = pointersOf(code, 3) as [Local, Local, Local];
    [this.#step, this.#sum] = [code.local("v128"), code.local("v128")];
  }

  /** List the numbers of the group that are not 0: a 0 behind them makes the last pair whole. */
  list({ step, sum }: { readonly step: Local; readonly sum: Local }): void {
    const code = this.#code;
    const { scratch } = this.#opening;
    const [number, squares, place] = [1, 2, 3].map(() => code.local("i32")) as [Local, Local, Local];
    const turn = code.local("pointer");
    code.get(step).set(this.#step);
    code.get(sum).vector("f32x4.convert_i32x4_s").get(step).vector("f32x4.mul").set(this.#sum);
    code.address(0).set(this.#listed).i32(0).set(squares).i32(0).set(place);
    const store = () => {
      code.get(scratch).get(this.#listed).pointerOp("add").get(number).access("i32.store8", NUMBERS_AT);
      placed(code, () => code.get(scratch), this.#listed, WORD)
        .get(place)
        .access("i32.store", PLACES_AT);
    };
    code.count(turn, { to: () => code.address(INT4_GROUP) }, () => {
      code.get(scratch).get(turn).pointerOp("add").access("i32.load8_s").set(number);
      store();
      code.get(number).get(number).do("i32.mul").get(squares).do("i32.add").set(squares);
      code.get(number).i32(0).do("i32.ne").toPointer().get(this.#listed).pointerOp("add").set(this.#listed);
      code.get(place).i32(this.#rowBytes).do("i32.add").set(place);
    });
    code.i32(0).set(number).i32(0).set(place);
    store();
    code.address(SAFE_PAIRS).address(ALL_PAIRS).get(squares).i32(SAFE_SQUARES).do("i32.gt_s", "select");
    code.set(this.#together);
  }

  get #rowBytes(): number {
    return (this.#kernel.rows / INT4_GROUP) * GROUP_BYTES;
  }

  /**
   * Read a byte of every line of the listed weights, one right behind the other: so the memory brings many lines at a time, where the products, which read a
   * few bytes of each input, would wait for few.
   */
  fetch(group: Local): void {
    const { words } = this.#kernel;
    const { begin, end, pointers, scratch } = this.#opening;
    const code = this.#code;
    const [turn, at, last] = pointersOf(code, 3) as [Local, Local, Local];
    const seen = code.local("i32");
    code.i32(0).set(seen);
    code.count(turn, { to: () => code.get(this.#listed) }, () => {
      placed(code, () => code.get(pointers.get(words)!), group, INT4_GROUP * this.#rowBytes);
      placed(code, () => code.get(scratch), turn, WORD)
        .access("i32.load", PLACES_AT)
        .toPointer()
        .pointerOp("add")
        .tee(at);
      code.get(end).address(GROUP_BYTES).pointerOp("mul").pointerOp("add").set(last);
      placed(code, () => code.get(at), begin, GROUP_BYTES).set(at);
      code.count(at, { from: () => code.get(at), to: () => code.get(last), step: LINE }, () => {
        code.get(at).access("i32.load").get(seen).do("i32.or").set(seen);
      });
    });
    code.get(scratch).get(seen).access("i32.store", SEEN_AT);
  }

  /** Add what the listed inputs make of the thread's outputs. */
  outputs(group: Local): void {
    const { words, scale, min, rows } = this.#kernel;
    const { begin, end, pointers } = this.#opening;
    const code = this.#code;
    const [pairs, first, last, unit] = pointersOf(code, 4) as [Local, Local, Local, Local];
    const [wordsAt, scaleAt, minAt, toAt] = pointersOf(code, 4) as [Local, Local, Local, Local];
    code.get(this.#listed).address(1).pointerOp("add").address(1).pointerOp("shr_u").set(pairs);
    code.address(0).set(first);
    const ofUnit = (buffer: ProgramBuffer, ofGroup: number, bytes: number, into: Local) => {
      placed(code, () => placed(code, () => code.get(pointers.get(buffer)!), group, ofGroup), unit, bytes);
      code.set(into);
    };
    const halves = (buffer: ProgramBuffer) => elementBytes(buffer.dtype);
    code.block(() => {
      code.loop(() => {
        code.get(first).get(pairs).pointerOp("ge_u").branchIf(1);
        code.get(first).get(this.#together).pointerOp("add").tee(last).get(pairs);
        code.get(last).get(pairs).pointerOp("lt_u").do("select").set(last);
        code.count(unit, { from: () => code.get(begin), to: () => code.get(end) }, () => {
          ofUnit(words, INT4_GROUP * this.#rowBytes, GROUP_BYTES, wordsAt);
          ofUnit(scale, halves(scale) * rows, halves(scale) * INT4_GROUP, scaleAt);
          ofUnit(min, halves(min) * rows, halves(min) * INT4_GROUP, minAt);
          placed(code, () => code.get(this.to), unit, WORD * INT4_GROUP);
          code.set(toAt);
          this.#add(this.#sums(wordsAt, first, last), { scaleAt, minAt, toAt });
        });
        code.splat(0, "f32").set(this.#sum).get(last).set(first).branch(0);
      });
    });
  }

  /** Sums of the products of some pairs with 32 outputs, in 16 bits, eight side by side. */
  #sums(wordsAt: Local, first: Local, last: Local): Local[] {
    const code = this.#code;
    const { scratch } = this.#opening;
    const sums = [0, 1, 2, 3].map(() => code.local("v128"));
    const [pair, at] = pointersOf(code, 2) as [Local, Local];
    for (const sum of sums) code.splat(0, "i32").set(sum);
    code.count(pair, { from: () => code.get(first), to: () => code.get(last) }, () => {
      placed(code, () => code.get(scratch), pair, 2 * WORD).set(at);
      const weights = [0, 1].map((which) => {
        const bytes = code.local("v128");
        code
          .get(wordsAt)
          .get(at)
          .access("i32.load", PLACES_AT + WORD * which);
        code.toPointer().pointerOp("add").vectorAccess("v128.load").set(bytes);
        return bytes;
      }) as [Local, Local];
      placed(code, () => code.get(scratch), pair, 2).set(at);
      if (this.#relaxed) this.#addPair(sums, weights, at);
      else for (const [which, bytes] of weights.entries()) this.#addOne(sums, bytes, at, which);
    });
    return sums;
  }

  /** Bytes of both inputs side by side, times the two numbers. */
  #addPair(sums: readonly Local[], [one, other]: readonly [Local, Local], at: Local): void {
    const code = this.#code;
    const numbers = code.local("v128");
    code.get(at).vectorAccess("v128.load16_splat", NUMBERS_AT).set(numbers);
    for (const eight of [0, 1]) {
      const halves = [code.local("v128"), code.local("v128")] as const;
      const bytes = Array.from({ length: 8 }, (_, i) => [8 * eight + i, 16 + 8 * eight + i]).flat();
      code.get(one).get(other).shuffleBytes(bytes);
      splitHalves(code, ...halves);
      halves.forEach((half, k) => {
        const sum = sums[2 * k + eight]!;
        code.get(numbers).get(half).vector("i16x8.relaxed_dot_i8x16_i7x16_s").get(sum).vector("i16x8.add").set(sum);
      });
    }
  }

  #addOne(sums: readonly Local[], bytes: Local, at: Local, which: number): void {
    const code = this.#code;
    const number = code.local("v128");
    const halves = [code.local("v128"), code.local("v128")] as const;
    code
      .get(at)
      .access("i32.load8_s", NUMBERS_AT + which)
      .vector("i16x8.splat")
      .set(number);
    code.get(bytes);
    splitHalves(code, ...halves);
    halves.forEach((half, k) => {
      (["low", "high"] as const).forEach((eight, i) => {
        const sum = sums[2 * k + i]!;
        code.get(half).vector(`i16x8.extend_${eight}_i8x16_u`).get(number).vector("i16x8.mul");
        code.get(sum).vector("i16x8.add").set(sum);
      });
    });
  }

  /** Add sums, times their outputs' scales, and the minima to the results. */
  #add(sums: readonly Local[], { scaleAt, minAt, toAt }: Readonly<Record<"scaleAt" | "minAt" | "toAt", Local>>): void {
    const { scale, min } = this.#kernel;
    const code = this.#code;
    const result = code.local("v128");
    sums.forEach((sum, k) => {
      (["low", "high"] as const).forEach((four, i) => {
        const output = 8 * k + 4 * i;
        code.get(sum).vector(`i32x4.extend_${four}_i16x8_s`, "f32x4.convert_i32x4_s").get(scaleAt);
        loadNumbers(code, scale, 4, elementBytes(scale.dtype) * output);
        code.get(this.#step).vector("f32x4.mul");
        code.get(toAt).vectorAccess("v128.load", WORD * output);
        this.#multiplyAdd();
        code.set(result).get(minAt);
        loadNumbers(code, min, 4, elementBytes(min.dtype) * output);
        code.get(this.#sum).get(result);
        this.#multiplyAdd();
        code
          .set(result)
          .get(toAt)
          .get(result)
          .vectorAccess("v128.store", WORD * output);
      });
    });
  }

  /** Pops a, b and c, pushes a * b + c. */
  #multiplyAdd(): void {
    const code = this.#code;
    if (this.#relaxed) return void code.vector("f32x4.relaxed_madd");
    const addend = code.local("v128");
    code.set(addend).vector("f32x4.mul").get(addend).vector("f32x4.add");
  }
}
