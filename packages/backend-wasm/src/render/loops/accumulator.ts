import type { Reduction } from "@finegrain/codegen";
import type { DType } from "@finegrain/graph";
import type { Code, Local } from "../../assembler/code.ts";

/** What a reduction keeps while it runs: the result so far of every lane, and for argMax the value that it belongs to. */
export class Accumulator {
  readonly #code: Code;
  readonly #op: Reduction["op"];
  readonly #float: boolean;
  readonly #value: Local;
  readonly #index: Local | undefined;

  constructor(code: Code, op: Reduction["op"], dtype: DType) {
    this.#code = code;
    this.#op = op;
    this.#float = dtype === "float32";
    this.#value = code.local("v128");
    this.#index = op === "argMax" ? code.local("v128") : undefined;
  }

  /** Before the first element. */
  reset(): void {
    const code = this.#code;
    if (this.#op === "sum") code.splat(0, "i32");
    else if (this.#float) code.splat(Number.NEGATIVE_INFINITY, "f32");
    else code.splat(-0x80000000, "i32");
    code.set(this.#value);
    if (this.#index !== undefined) code.splat(0, "i32").set(this.#index);
  }

  /** Pops an element of every lane. `at`: where the elements are along the reduced axis, for argMax. */
  fold(at?: () => void): void {
    const code = this.#code;
    if (this.#index === undefined) {
      code.get(this.#value);
      this.#combine();
      code.set(this.#value);
      return;
    }
    const [x, larger] = [code.local("v128"), code.local("v128")];
    code
      .tee(x)
      .get(this.#value)
      .vector(this.#float ? "f32x4.gt" : "i32x4.gt_s")
      .set(larger);
    code.get(x).get(this.#value).get(larger).vector("v128.bitselect").set(this.#value);
    at!();
    code.get(this.#index).get(larger).vector("v128.bitselect").set(this.#index);
  }

  /** Take in another accumulator, lane by lane. */
  merge(other: Accumulator): void {
    const code = this.#code;
    if (this.#index === undefined) {
      code.get(other.#value).get(this.#value);
      this.#combine();
      code.set(this.#value);
      return;
    }
    // The larger value, and among equals the lower index.
    const better = code.local("v128");
    code
      .get(other.#value)
      .get(this.#value)
      .vector(this.#float ? "f32x4.gt" : "i32x4.gt_s");
    code
      .get(other.#value)
      .get(this.#value)
      .vector(this.#float ? "f32x4.eq" : "i32x4.eq");
    code.get(other.#index!).get(this.#index).vector("i32x4.lt_s", "v128.and", "v128.or").set(better);
    code.get(other.#value).get(this.#value).get(better).vector("v128.bitselect").set(this.#value);
    code.get(other.#index!).get(this.#index).get(better).vector("v128.bitselect").set(this.#index);
  }

  /** Make the first lane the result of all four. */
  gather(): void {
    const code = this.#code;
    const other = new Accumulator(code, this.#op, this.#float ? "float32" : "int32");
    for (const lanes of [
      [2, 3, 2, 3],
      [1, 1, 1, 1],
    ] as const) {
      code.get(this.#value).get(this.#value).shuffle(lanes).set(other.#value);
      if (this.#index !== undefined) code.get(this.#index).get(this.#index).shuffle(lanes).set(other.#index!);
      this.merge(other);
    }
  }

  /** Where the result is. */
  get result(): Local {
    return this.#index ?? this.#value;
  }

  /** Two vectors on the stack become one. */
  #combine(): void {
    if (this.#op === "sum") this.#code.vector(this.#float ? "f32x4.add" : "i32x4.add");
    else this.#code.vector(this.#float ? "f32x4.pmax" : "i32x4.max_s");
  }
}
