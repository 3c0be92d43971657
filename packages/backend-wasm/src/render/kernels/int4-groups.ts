import type { ProgramBuffer } from "@finegrain/codegen";
import type { Code, Local } from "../../assembler/code.ts";
import { elementAccess } from "../expressions/element-access.ts";
import { fromHalves } from "../expressions/scalar-ops.ts";

/** Bytes of a group's 32 weights. */
export const GROUP_BYTES = 16;

/** Pops an address, pushes float32 numbers of a buffer that may have float16 ones: four neighbours, or one in every lane. */
export function loadNumbers(code: Code, { dtype }: ProgramBuffer, lanes: 1 | 4, offset = 0): void {
  const memory = elementAccess(dtype);
  if (lanes === 4) memory.four(code, offset);
  else memory.everywhere(code, offset);
  if (dtype === "float16") fromHalves(code);
}

/** Pops 16 bytes; sets two locals to the weights in their low halves and in their high ones, as 16 bytes each. */
export function splitHalves(code: Code, low: Local, high: Local): void {
  const lowHalves = () => code.splat(0x0f0f0f0f, "i32").vector("v128.and");
  code.tee(high);
  lowHalves().set(low).get(high).i32(4).vector("i16x8.shr_u");
  lowHalves().set(high);
}
