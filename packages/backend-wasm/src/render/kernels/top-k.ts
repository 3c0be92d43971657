import type { TopKKernel } from "@finegrain/codegen";
import type { Code, Local } from "../../assembler/code.ts";
import { type Opening, WORD } from "../kernel.ts";
import type { Division } from "../loops/loop-renderer.ts";

/** Entries that are compared at once with the least of those that are kept: most often none of them is larger. */
const STRIDE = 16;

/**
 * A heap of the k largest so far, its least on top, in the row of the result: most entries of a long row only meet the top. Then the
 * heap is sorted in its place.
 */
export function renderTopK({ from, rows, length, k, to }: TopKKernel, opening: Opening): Division {
  const { code, pointers, begin, end } = opening;
  const unit = code.local("pointer");
  const heap = new Heap(code);
  const rowOf = (pointer: Local, width: number) =>
    code
      .get(pointer)
      .get(unit)
      .address(WORD * width)
      .pointerOp("mul")
      .pointerOp("add");
  code.count(unit, { from: () => code.get(begin), to: () => code.get(end) }, () => {
    rowOf(pointers.get(from)!, length).set(heap.values);
    rowOf(pointers.get(to)!, k).set(heap.indices);
    heap.fill(k);
    if (length > k) heap.offer(k, length);
    heap.sort(k);
  });
  return { units: rows, grain: 1, rows };
}

/** Indices of values in memory. Of two, the lesser is the one of the smaller value, and of equals the one of the higher index. */
class Heap {
  readonly #code: Code;
  /** Addresses of a row of values, and of the heap. */
  readonly values: Local;
  readonly indices: Local;
  readonly #count: Local;
  readonly #at: Local;
  /** What is put somewhere: its index and value. */
  readonly #index: Local;
  readonly #value: Local;

  constructor(code: Code) {
    this.#code = code;
    [this.values, this.indices, this.#count, this.#at] = [1, 2, 3, 4].map(() => code.local("pointer")) as [
      Local,
      Local,
      Local,
      Local,
    ];
    this.#index = code.local("i32");
    this.#value = code.local("f32");
  }

  /** The heap of the first k values. */
  fill(k: number): void {
    const code = this.#code;
    const [place, turn] = [code.local("pointer"), code.local("pointer")];
    code.count(place, { to: () => code.address(k) }, () => {
      this.#placed(this.indices, place).get(place);
      if (code.wide) code.do("i32.wrap_i64");
      code.access("i32.store");
    });
    code.address(k).set(this.#count);
    code.count(turn, { to: () => code.address(k >>> 1) }, () => {
      code
        .address((k >>> 1) - 1)
        .get(turn)
        .pointerOp("sub")
        .set(this.#at);
      this.#take(() => this.#placed(this.indices, this.#at));
      this.#sink();
    });
  }

  /** Put each of the values [from, to) in the place of the least, where it is larger. */
  offer(from: number, to: number): void {
    const code = this.#code;
    const [first, at, last] = [1, 2, 3].map(() => code.local("pointer")) as [Local, Local, Local];
    const bounds = code.local("v128");
    const bound = code.local("f32");
    const top = code.local("i32");
    const measure = () => {
      code.get(this.indices).access("i32.load").set(top);
      this.#valueOf(top);
      code.tee(bound).vector("f32x4.splat").set(bounds);
    };
    measure();
    code.count(first, { from: () => code.address(from), to: () => code.address(to), step: STRIDE }, () => {
      code.block(() => {
        const whole = () =>
          code
            .get(first)
            .address(to - STRIDE + 1)
            .pointerOp("lt_u");
        if (to - from >= STRIDE) whole().if(() => void this.#larger(first, bounds).do("i32.eqz").branchIf(1));
        code.get(first).address(STRIDE).pointerOp("add").tee(last).address(to);
        code.get(last).address(to).pointerOp("lt_u").do("select").set(last);
        code.count(at, { from: () => code.get(first), to: () => code.get(last) }, () => {
          this.#placed(this.values, at).access("f32.load").tee(this.#value).get(bound).do("f32.gt");
          code.if(() => {
            code.get(at);
            if (code.wide) code.do("i32.wrap_i64");
            code.set(this.#index).address(0).set(this.#at);
            this.#sink();
            measure();
          });
        });
      });
    });
  }

  /** The greatest first: again and again the least goes behind those that are left. */
  sort(k: number): void {
    const code = this.#code;
    const turn = code.local("pointer");
    code.count(turn, { from: () => code.address(1), to: () => code.address(k) }, () => {
      code.address(k).get(turn).pointerOp("sub").set(this.#count);
      this.#take(() => this.#placed(this.indices, this.#count));
      this.#placed(this.indices, this.#count).get(this.indices).access("i32.load").access("i32.store");
      code.address(0).set(this.#at);
      this.#sink();
    });
  }

  /** Pushes whether one of a stride of values is above the bound. */
  #larger(first: Local, bounds: Local): Code {
    const code = this.#code;
    const start = code.local("pointer");
    this.#placed(this.values, first).set(start);
    for (let lane = 0; lane < STRIDE; lane += 4) {
      code
        .get(start)
        .vectorAccess("v128.load", WORD * lane)
        .get(bounds)
        .vector("f32x4.gt");
      if (lane > 0) code.vector("v128.or");
    }
    return code.vector("v128.any_true");
  }

  /** Pushes the address of a place in a row. */
  #placed(row: Local, place: Local): Code {
    return this.#code.get(row).get(place).address(WORD).pointerOp("mul").pointerOp("add");
  }

  /** Pushes the value of an index. */
  #valueOf(index: Local): void {
    const code = this.#code;
    code.get(this.values).get(index);
    if (code.wide) code.do("i64.extend_i32_u");
    code.address(WORD).pointerOp("mul").pointerOp("add").access("f32.load");
  }

  /** Keep the index at an address, and its value. */
  #take(address: () => void): void {
    address();
    this.#code.access("i32.load").set(this.#index);
    this.#valueOf(this.#index);
    this.#code.set(this.#value);
  }

  /** Put the index that is kept at `at` or below, each lesser child a place up. */
  #sink(): void {
    const code = this.#code;
    const [child, other] = [code.local("pointer"), code.local("pointer")];
    const [index, otherIndex] = [code.local("i32"), code.local("i32")];
    const [value, otherValue] = [code.local("f32"), code.local("f32")];
    /** Pushes whether one is less than another. */
    const less = (x: Local, i: Local, y: Local, j: Local) => {
      code.get(x).get(y).do("f32.lt").get(x).get(y).do("f32.eq");
      code.get(i).get(j).do("i32.gt_s", "i32.and", "i32.or");
    };
    const load = (place: Local, into: Local, valueInto: Local) => {
      this.#placed(this.indices, place).access("i32.load").set(into);
      this.#valueOf(into);
      code.set(valueInto);
    };
    code.block(() => {
      code.loop(() => {
        code.get(this.#at).address(2).pointerOp("mul").address(1).pointerOp("add").tee(child);
        code.get(this.#count).pointerOp("ge_u").branchIf(1);
        load(child, index, value);
        code.get(child).address(1).pointerOp("add").tee(other).get(this.#count).pointerOp("lt_u");
        code.if(() => {
          load(other, otherIndex, otherValue);
          less(otherValue, otherIndex, value, index);
          code.if(() => code.get(other).set(child).get(otherIndex).set(index).get(otherValue).set(value));
        });
        less(value, index, this.#value, this.#index);
        code.do("i32.eqz").branchIf(1);
        this.#placed(this.indices, this.#at).get(index).access("i32.store").get(child).set(this.#at);
        code.branch(0);
      });
    });
    this.#placed(this.indices, this.#at).get(this.#index).access("i32.store");
  }
}
