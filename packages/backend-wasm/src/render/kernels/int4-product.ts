import { elementBytes, type Int4ProductKernel } from "@finegrain/codegen";
import { INT4_GROUP } from "@finegrain/graph";
import type { Code, Local } from "../../assembler/code.ts";
import { type Opening, type Target, WORD } from "../kernel.ts";
import type { Division } from "../loops/loop-renderer.ts";
import { GROUP_BYTES, loadNumbers, splitHalves } from "./int4-groups.ts";
import { across, roundGroup } from "./round-to-8-bits.ts";

/** Vectors of x that meet a row's weights together. */
const TOGETHER = 4;
/** Units whose weights stay near while all vectors meet them. */
const NEAR = 64;
/** Groups whose scales are read at once. */
const FOUR = 4;

/**
 * Products in whole numbers. Each thread first rounds all of x to 8 bits, in memory of its own, then multiplies with its rows: 16 bytes of weights are 32
 * numbers of 4 bits, which are multiplied as bytes where the runtime can, else as 16 bits each.
 */
export function renderInt4Product(kernel: Int4ProductKernel, opening: Opening, target: Target): Division {
  const writer = new Int4Product(kernel, opening, target);
  writer.roundVectors();
  return writer.multiply();
}

/** Where a block is: the address of its first group's words, scales, minima, of its vectors' numbers, steps and sums, and of its results. */
type Place = Record<(typeof PLACES)[number], Local>;
const PLACES = ["words", "scale", "min", "numbers", "steps", "to"] as const;

class Int4Product {
  readonly #kernel: Int4ProductKernel;
  readonly #opening: Opening;
  readonly #relaxed: boolean;
  readonly #code: Code;
  /** Bytes of a number of x. */
  readonly #bytes: 1 | 2;
  /** Rows of a unit. */
  readonly #block: 1 | 2;
  /** Of a thread's memory: the numbers of x, then each group's step, then the sum of its numbers. */
  readonly #stepsAt: number;
  readonly #sumsBehind: number;

  constructor(kernel: Int4ProductKernel, opening: Opening, { relaxed }: Target) {
    const { count, groups, rows } = kernel;
    this.#kernel = kernel;
    this.#opening = opening;
    this.#relaxed = relaxed;
    this.#code = opening.code;
    this.#bytes = relaxed ? 1 : 2;
    this.#block = count === 1 && rows % 2 === 0 ? 2 : 1;
    this.#stepsAt = count * groups * INT4_GROUP * this.#bytes;
    this.#sumsBehind = count * groups * WORD;
  }

  /** Round every group of x: its numbers, step and sum go to the thread's memory. */
  roundVectors(): void {
    const { x, count, groups } = this.#kernel;
    const code = this.#code;
    const [group, from, numbers, steps] = ["pointer", "pointer", "pointer", "pointer"].map(() =>
      code.local("pointer"),
    ) as [Local, Local, Local, Local];
    code.get(this.#opening.pointers.get(x)!).set(from).get(this.#opening.scratch).set(numbers);
    code.get(numbers).address(this.#stepsAt).pointerOp("add").set(steps);
    code.count(group, { to: () => code.address(count * groups) }, () => {
      this.#roundGroup(from, numbers, steps);
      this.#advance(from, WORD * INT4_GROUP);
      this.#advance(numbers, this.#bytes * INT4_GROUP);
      this.#advance(steps, WORD);
    });
  }

  #roundGroup(from: Local, numbers: Local, steps: Local): void {
    const code = this.#code;
    const { step, sum } = roundGroup(code, from, numbers, this.#bytes);
    code.get(steps).get(step).laneAccess("v128.store32_lane", 0);
    code.get(steps).get(sum).vector("f32x4.convert_i32x4_s").get(step).vector("f32x4.mul");
    code.laneAccess("v128.store32_lane", 0, this.#sumsBehind);
  }

  /** The products of the thread's units with all vectors: of a few units, whose weights stay near, with a few vectors after the other. */
  multiply(): Division {
    const { count, rows } = this.#kernel;
    const { begin, end } = this.#opening;
    const code = this.#code;
    const [first, last, vector] = [code.local("pointer"), code.local("pointer"), code.local("pointer")];
    const whole = count - (count % TOGETHER);
    code.count(first, { from: () => code.get(begin), to: () => code.get(end), step: NEAR }, () => {
      code.get(first).address(NEAR).pointerOp("add").tee(last).get(end).get(last).get(end).pointerOp("lt_u");
      code.do("select").set(last);
      code.count(vector, { to: () => code.address(whole), step: TOGETHER }, () =>
        this.#units(first, last, () => code.get(vector), TOGETHER),
      );
      if (count > whole) this.#units(first, last, () => code.address(whole), count - whole);
    });
    const scratch = this.#stepsAt + 2 * this.#sumsBehind;
    return { units: rows / this.#block, grain: 1, rows: count === 1 ? rows / this.#block : 1, scratch };
  }

  /** The products of some units' rows with so many vectors. @param pushVector pushes the number of the first. */
  #units(first: Local, last: Local, pushVector: () => void, count: number): void {
    const { rows, groups, words, scale, min, to } = this.#kernel;
    const { pointers, scratch } = this.#opening;
    const code = this.#code;
    const unit = code.local("pointer");
    const place = Object.fromEntries(PLACES.map((name) => [name, code.local("pointer")])) as Place; // of these names
    const further = (push: () => void, bytes: number) => {
      push();
      code.address(bytes).pointerOp("mul").pointerOp("add");
    };
    code.count(unit, { from: () => code.get(first), to: () => code.get(last) }, () => {
      for (const [name, buffer, bytes] of [
        ["words", words, GROUP_BYTES * groups],
        ["scale", scale, bytesOf(scale) * groups],
        ["min", min, bytesOf(min) * groups],
        ["to", to, WORD],
      ] as const) {
        code.get(pointers.get(buffer)!);
        further(() => code.get(unit), this.#block * bytes);
        code.set(place[name]);
      }
      code.get(place.to);
      further(pushVector, WORD * rows);
      code.set(place.to).get(scratch);
      further(pushVector, this.#bytes * INT4_GROUP * groups);
      code.set(place.numbers).get(scratch).address(this.#stepsAt).pointerOp("add");
      further(pushVector, WORD * groups);
      code.set(place.steps);
      this.#blockOf(place, count);
    });
  }

  /** The products of a unit's rows with so many vectors. */
  #blockOf(place: Place, count: number): void {
    const { groups, scale, min, rows } = this.#kernel;
    const code = this.#code;
    const sums = Array.from({ length: this.#block }, () => Array.from({ length: count }, () => code.local("v128")));
    for (const sum of sums.flat()) code.splat(0, "f32").set(sum);
    const advance = (of: number) => {
      this.#advance(place.words, GROUP_BYTES * of);
      this.#advance(place.scale, bytesOf(scale) * of);
      this.#advance(place.min, bytesOf(min) * of);
      this.#advance(place.numbers, this.#bytes * INT4_GROUP * of);
      this.#advance(place.steps, WORD * of);
    };
    const turn = code.local("pointer");
    code.count(turn, { to: () => code.address(Math.floor(groups / FOUR)) }, () => {
      const factors = this.#scales(place, sums, FOUR);
      for (let k = 0; k < FOUR; k++)
        this.#group(place, k, sums, (r, t) => code.get(factors[r]![t]!).get(factors[r]![t]!).shuffle([k, k, k, k]));
      advance(FOUR);
    });
    code.count(turn, { to: () => code.address(groups % FOUR) }, () => {
      const factors = this.#scales(place, sums, 1);
      this.#group(place, 0, sums, (r, t) => code.get(factors[r]![t]!));
      advance(1);
    });
    sums.forEach((ofRow, r) => {
      ofRow.forEach((sum, t) => {
        across(code, sum, "f32x4.add");
        code
          .get(place.to)
          .get(sum)
          .laneAccess("v128.store32_lane", 0, WORD * (t * rows + r));
      });
    });
  }

  /** Scale times step of four groups, or of one in all lanes, of each row and vector. Their minima are added to the sums. */
  #scales(place: Place, sums: readonly (readonly Local[])[], lanes: 1 | 4): Local[][] {
    const { groups, scale, min } = this.#kernel;
    const code = this.#code;
    const [ofRow, least] = [code.local("v128"), code.local("v128")];
    return sums.map((row, r) => {
      code.get(place.scale);
      loadNumbers(code, scale, lanes, bytesOf(scale) * groups * r);
      code.set(ofRow).get(place.min);
      loadNumbers(code, min, lanes, bytesOf(min) * groups * r);
      code.set(least);
      return row.map((sum, t) => {
        const factor = code.local("v128");
        const offset = WORD * groups * t;
        code.get(place.steps).vectorAccess(lanes === 4 ? "v128.load" : "v128.load32_splat", offset);
        code.get(ofRow).vector("f32x4.mul").set(factor);
        // Of one group the other lanes are zeros, which add nothing.
        code.get(place.steps).vectorAccess(lanes === 4 ? "v128.load" : "v128.load32_zero", offset + this.#sumsBehind);
        code.get(least);
        this.#multiplyAdd(sum);
        return factor;
      });
    });
  }

  /** Add the products of the k-th group from a place on. @param pushFactor pushes scale times step, in all lanes. */
  #group(
    place: Place,
    k: number,
    sums: readonly (readonly Local[])[],
    pushFactor: (row: number, vector: number) => void,
  ): void {
    const { groups } = this.#kernel;
    const code = this.#code;
    const weights = sums.map((_, r) => {
      const halves = [code.local("v128"), code.local("v128")] as const;
      code.get(place.words).vectorAccess("v128.load", GROUP_BYTES * (groups * r + k));
      splitHalves(code, ...halves);
      return this.#relaxed ? halves : halves.flatMap((half) => this.#asShorts(half));
    });
    const parts = this.#relaxed ? 2 : 4;
    const numbers = Array.from({ length: parts }, () => code.local("v128"));
    sums[0]!.forEach((_, t) => {
      numbers.forEach((number, i) => {
        const offset = this.#bytes * INT4_GROUP * (groups * t + k) + 16 * i;
        code.get(place.numbers).vectorAccess("v128.load", offset).set(number);
      });
      sums.forEach((row, r) => {
        numbers.forEach((number, i) => {
          code.get(number).get(weights[r]![i]!);
          code.vector(this.#relaxed ? "i16x8.relaxed_dot_i8x16_i7x16_s" : "i32x4.dot_i16x8_s");
          if (i > 0) code.vector(this.#relaxed ? "i16x8.add" : "i32x4.add");
        });
        if (this.#relaxed) code.splat(0x00010001, "i32").vector("i32x4.dot_i16x8_s");
        code.vector("f32x4.convert_i32x4_s");
        pushFactor(r, t);
        this.#multiplyAdd(row[t]!);
      });
    });
  }

  /** 16 bytes as two vectors of 16 bits. */
  #asShorts(bytes: Local): Local[] {
    const code = this.#code;
    return (["low", "high"] as const).map((half) => {
      const local = code.local("v128");
      code.get(bytes).vector(`i16x8.extend_${half}_i8x16_u`).set(local);
      return local;
    });
  }

  /** Pops two vectors, adds their product to a sum. */
  #multiplyAdd(sum: Local): void {
    const code = this.#code;
    if (this.#relaxed) code.get(sum).vector("f32x4.relaxed_madd");
    else code.vector("f32x4.mul").get(sum).vector("f32x4.add");
    code.set(sum);
  }

  #advance(pointer: Local, bytes: number): void {
    this.#code.get(pointer).address(bytes).pointerOp("add").set(pointer);
  }
}

const bytesOf = ({ dtype }: Int4ProductKernel["scale"]): number => elementBytes(dtype);
