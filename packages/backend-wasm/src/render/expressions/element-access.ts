import { elementBytes } from "@finegrain/codegen";
import type { DType } from "@finegrain/graph";
import type { Code, Local } from "../../assembler/code.ts";

/** How elements come from memory into lanes of 32 bits; those of fewer bits with their sign. */
export interface ElementAccess {
  readonly bytes: number;
  /** Pops an address, pushes its four neighbours. */
  four(code: Code, offset: number): void;
  /** Pops an address, pushes its element in the first lane. */
  one(code: Code, offset: number): void;
  /** Pops an address, pushes its element in every lane. */
  everywhere(code: Code, offset: number): void;
  /** Pushes `value` with one lane from memory. */
  lane(code: Code, place: { at: Local; value: Local; lane: number; offset: number }): void;
}

const words: ElementAccess = {
  bytes: 4,
  four: (code, offset) => void code.vectorAccess("v128.load", offset),
  one: (code, offset) => void code.vectorAccess("v128.load32_zero", offset),
  everywhere: (code, offset) => void code.vectorAccess("v128.load32_splat", offset),
  lane: (code, { at, value, lane, offset }) =>
    void code.get(at).get(value).laneAccess("v128.load32_lane", lane, offset),
};

function narrow(dtype: DType, scalar: "i32.load8_s" | "i32.load16_s", four: ElementAccess["four"]): ElementAccess {
  const everywhere: ElementAccess["everywhere"] = (code, offset) =>
    void code.access(scalar, offset).vector("i32x4.splat");
  return {
    bytes: elementBytes(dtype),
    four,
    // Its copies in the other lanes do no harm, and spare an instruction.
    one: everywhere,
    everywhere,
    lane: (code, { at, value, lane, offset }) =>
      void code.get(value).get(at).access(scalar, offset).lane("i32x4.replace_lane", lane),
  };
}

const halves = narrow("float16", "i32.load16_s", (code, offset) => void code.vectorAccess("v128.load16x4_s", offset));
const bytes = narrow("int8", "i32.load8_s", (code, offset) => {
  code.vectorAccess("v128.load32_zero", offset).vector("i16x8.extend_low_i8x16_s", "i32x4.extend_low_i16x8_s");
});

export const elementAccess = (dtype: DType): ElementAccess =>
  dtype === "float16" ? halves : dtype === "int8" ? bytes : words;
