import { INT4_GROUP, INT8_LARGEST, INT8_LEAST_STEP } from "@finegrain/graph";
import type { Code, Local } from "../../assembler/code.ts";
import { WORD } from "../kernel.ts";

/** A group that was rounded: its step, float32, and the sum of its numbers, int32, in every lane. */
export interface RoundedGroup {
  readonly step: Local;
  readonly sum: Local;
}

/**
 * Round a group of 32 numbers to whole multiples of a 127th of its largest magnitude.
 * @param from address of the numbers.
 * @param to address of what they become, each of so many bytes.
 */
export function roundGroup(code: Code, from: Local, to: Local, bytes: 1 | 2): RoundedGroup {
  const vectors = Array.from({ length: INT4_GROUP / 4 }, () => code.local("v128"));
  const [step, sum] = [code.local("v128"), code.local("v128")];
  vectors.forEach((vector, i) => {
    code
      .get(from)
      .vectorAccess("v128.load", 4 * WORD * i)
      .tee(vector)
      .vector("f32x4.abs");
    if (i > 0) code.get(step).vector("f32x4.max");
    code.set(step);
  });
  across(code, step, "f32x4.max");
  const divisor = code.local("v128");
  code.get(step).splat(INT8_LARGEST, "f32").vector("f32x4.div").tee(step);
  code.splat(INT8_LEAST_STEP, "f32").vector("f32x4.max").set(divisor);
  vectors.forEach((vector, i) => {
    code.get(vector).get(divisor).vector("f32x4.div").splat(0.5, "f32");
    code.vector("f32x4.add", "f32x4.floor", "i32x4.trunc_sat_f32x4_s").tee(vector);
    if (i > 0) code.get(sum).vector("i32x4.add");
    code.set(sum);
  });
  const pairs = [0, 2, 4, 6].map((i) => () => {
    code
      .get(vectors[i]!)
      .get(vectors[i + 1]!)
      .vector("i16x8.narrow_i32x4_s");
  });
  const stored =
    bytes === 2
      ? pairs
      : [0, 2].map((i) => () => {
          for (const pair of pairs.slice(i, i + 2)) pair();
          code.vector("i8x16.narrow_i16x8_s");
        });
  stored.forEach((push, i) => {
    code.get(to);
    push();
    code.vectorAccess("v128.store", 16 * i);
  });
  across(code, sum, "i32x4.add");
  return { step, sum };
}

/** Make every lane what an operation makes of all four. */
export function across(code: Code, vector: Local, operation: "f32x4.max" | "f32x4.add" | "i32x4.add"): void {
  for (const lanes of [
    [2, 3, 0, 1],
    [1, 0, 3, 2],
  ] as const)
    code.get(vector).get(vector).get(vector).shuffle(lanes).vector(operation).set(vector);
}
