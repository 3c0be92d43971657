import type { TopKKernel } from "@finegrain/codegen";
import type { Local } from "../assembler/code.ts";
import { type Opening, WORD } from "./kernel.ts";
import type { Work } from "./loop-renderer.ts";

/**
 * For every place of the result, the largest entry behind the one found before it, in the order of falling values and rising
 * indices: k passes over a row, with no memory of their own.
 */
export function renderTopK({ from, rows, length, k, to }: TopKKernel, opening: Opening): Work {
  const { code, pointers, begin, end } = opening;
  const [unit, place, at, i] = [1, 2, 3, 4].map(() => code.local("pointer")) as [Local, Local, Local, Local];
  const [x, before, best] = [1, 2, 3].map(() => code.local("f32")) as [Local, Local, Local];
  const [beforeIndex, bestIndex, index] = [1, 2, 3].map(() => code.local("i32")) as [Local, Local, Local];

  const scan = () => {
    code.f32(Number.NEGATIVE_INFINITY).set(best).i32(-1).set(bestIndex).i32(0).set(index);
    code
      .get(pointers.get(from)!)
      .get(unit)
      .address(WORD * length)
      .pointerOp("mul")
      .pointerOp("add")
      .set(at);
    code.count(i, { to: () => code.address(length) }, () => {
      code.get(at).access("f32.load").set(x);
      // Behind the one before: smaller, or equal with a higher index.
      code.get(x).get(before).do("f32.lt").get(x).get(before).do("f32.eq");
      code.get(index).get(beforeIndex).do("i32.gt_s", "i32.and", "i32.or");
      // Better than the best so far: larger, or the first of all.
      code.get(x).get(best).do("f32.gt").get(bestIndex).i32(0).do("i32.lt_s", "i32.or", "i32.and");
      code.if(() => code.get(x).set(best).get(index).set(bestIndex));
      code.get(at).address(WORD).pointerOp("add").set(at).get(index).i32(1).do("i32.add").set(index);
    });
  };
  code.count(unit, { from: () => code.get(begin), to: () => code.get(end) }, () => {
    code.f32(Number.POSITIVE_INFINITY).set(before).i32(-1).set(beforeIndex);
    code.count(place, { to: () => code.address(k) }, () => {
      scan();
      code.get(pointers.get(to)!);
      code
        .get(unit)
        .address(k)
        .pointerOp("mul")
        .get(place)
        .pointerOp("add")
        .address(WORD)
        .pointerOp("mul")
        .pointerOp("add");
      code.get(bestIndex).access("i32.store").get(best).set(before).get(bestIndex).set(beforeIndex);
    });
  });
  return { units: rows, grain: 1, work: rows * length * k };
}
