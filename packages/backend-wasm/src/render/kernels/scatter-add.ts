import type { ScatterAddKernel } from "@finegrain/codegen";
import type { Local } from "../../assembler/code.ts";
import { type Opening, WORD } from "../kernel.ts";
import type { Division } from "../loops/loop-renderer.ts";

/**
 * Every thread takes a range of columns and goes through all indices, so that no update is lost and the order of the sums is
 * always the same.
 */
export function renderScatterAdd(kernel: ScatterAddKernel, opening: Opening): Division {
  const { indices, updates, count, rows, width, to } = kernel;
  const { code, pointers, begin, end } = opening;
  const [row, column, from, into] = ["pointer", "pointer", "pointer", "pointer"].map(() => code.local("pointer")) as [
    Local,
    Local,
    Local,
    Local,
  ];
  const columns = (body: (four: boolean) => void) => {
    const last = code.local("pointer");
    code.get(begin).get(end).get(begin).pointerOp("sub").address(-4).pointerOp("and").pointerOp("add").set(last);
    code.count(column, { from: () => code.get(begin), to: () => code.get(last), step: 4 }, () => body(true));
    code.count(column, { from: () => code.get(last), to: () => code.get(end) }, () => body(false));
  };
  const at = (base: Local) => code.get(base).get(column).address(WORD).pointerOp("mul").pointerOp("add");

  code.count(row, { to: () => code.address(rows) }, () => {
    code
      .get(pointers.get(to)!)
      .get(row)
      .address(WORD * width)
      .pointerOp("mul")
      .pointerOp("add")
      .set(into);
    columns((four) => {
      at(into).splat(0, "i32");
      if (four) code.vectorAccess("v128.store");
      else code.laneAccess("v128.store32_lane", 0);
    });
  });
  code.count(row, { to: () => code.address(count) }, () => {
    code
      .get(pointers.get(updates)!)
      .get(row)
      .address(WORD * width)
      .pointerOp("mul")
      .pointerOp("add")
      .set(from);
    code.get(pointers.get(to)!);
    code.get(pointers.get(indices)!).get(row).address(WORD).pointerOp("mul").pointerOp("add").access("i32.load");
    code
      .toPointer()
      .address(WORD * width)
      .pointerOp("mul")
      .pointerOp("add")
      .set(into);
    columns((four) => {
      const load = four ? "v128.load" : "v128.load32_zero";
      at(into);
      at(into).vectorAccess(load);
      at(from).vectorAccess(load).vector("f32x4.add");
      if (four) code.vectorAccess("v128.store");
      else code.laneAccess("v128.store32_lane", 0);
    });
  });
  return { units: width, grain: 16, rows: 1 };
}
