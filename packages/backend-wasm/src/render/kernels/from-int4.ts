import { elementBytes, type FromInt4Kernel } from "@finegrain/codegen";
import { INT4_GROUP } from "@finegrain/graph";
import { type Opening, WORD } from "../kernel.ts";
import type { Division } from "../loops/loop-renderer.ts";
import { GROUP_BYTES, loadNumbers, splitHalves } from "./int4-groups.ts";

/** Group by group: each of its two halves is 16 bytes, which become four vectors of numbers. */
export function renderFromInt4({ words, scale, min, groups, to }: FromInt4Kernel, opening: Opening): Division {
  const { code, pointers, begin, end } = opening;
  const [group, into] = [code.local("pointer"), code.local("pointer")];
  const [low, high, step, least] = [code.local("v128"), code.local("v128"), code.local("v128"), code.local("v128")];
  const at = (base: typeof words, bytes: number) =>
    code.get(pointers.get(base)!).get(group).address(bytes).pointerOp("mul").pointerOp("add");
  code.count(group, { from: () => code.get(begin), to: () => code.get(end) }, () => {
    for (const [buffer, local] of [
      [scale, step],
      [min, least],
    ] as const) {
      at(buffer, elementBytes(buffer.dtype));
      loadNumbers(code, buffer, 1);
      code.set(local);
    }
    at(words, GROUP_BYTES).vectorAccess("v128.load");
    splitHalves(code, low, high);
    at(to, WORD * INT4_GROUP).set(into);
    [low, high].forEach((half, k) => {
      (["low", "high"] as const).forEach((eight, i) => {
        (["low", "high"] as const).forEach((four, j) => {
          code.get(into).get(half).vector(`i16x8.extend_${eight}_i8x16_u`, `i32x4.extend_${four}_i16x8_u`);
          code.vector("f32x4.convert_i32x4_s").get(step).vector("f32x4.mul").get(least).vector("f32x4.add");
          code.vectorAccess("v128.store", 4 * WORD * (4 * k + 2 * i + j));
        });
      });
    });
  });
  return { units: groups, grain: 1, rows: groups };
}
