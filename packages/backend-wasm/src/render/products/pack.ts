import type { Code, Local } from "../../assembler/code.ts";
import { WORD } from "../kernel.ts";

/** A matrix that is cut into panels of `width` rows, each with its rows side by side. */
export interface Packing {
  /** The address of its first element. */
  readonly from: Local;
  /** The first row, and the one behind the last. */
  readonly begin: Local;
  readonly end: Local;
  /** Where the panels go. */
  readonly to: Local;
  readonly width: number;
  /** Elements of a row. */
  readonly length: number;
  /** From a row to the next, in elements. */
  readonly panel: number;
  /** From an element of a row to the next. */
  readonly step: number;
}

/** Copy rows into panels: element k of the panel's rows, then element k + 1. What stands behind the last row is not to be used. */
export function packPanels(code: Code, packing: Packing): void {
  if (packing.panel === 1 && packing.width % 4 === 0) packAcross(code, packing);
  else packAlong(code, packing);
}

/** Where rows are neighbours in memory: element k of all of them, then element k + 1, so that memory is read as it lies. */
function packAcross(code: Code, { begin, end, from, to, width, length, step }: Packing): void {
  const [k, row, whole, line, column, source, target] = Array.from({ length: 7 }, () => code.local("pointer")) as [
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  const forward = (local: Local, elements: number) =>
    code
      .get(local)
      .address(WORD * elements)
      .pointerOp("add")
      .set(local);
  code.get(end).get(end).get(begin).pointerOp("sub").address(width).pointerOp("rem_u").pointerOp("sub").set(whole);
  code.get(from).get(begin).address(WORD).pointerOp("mul").pointerOp("add").set(line).get(to).set(column);
  code.count(k, { to: () => code.address(length) }, () => {
    code.get(line).set(source).get(column).set(target);
    code.count(row, { from: () => code.get(begin), to: () => code.get(whole), step: width }, () => {
      for (let i = 0; i < width; i += 4)
        code
          .get(target)
          .get(source)
          .vectorAccess("v128.load", WORD * i)
          .vectorAccess("v128.store", WORD * i);
      forward(source, width);
      forward(target, width * length);
    });
    code.count(row, { from: () => code.get(whole), to: () => code.get(end) }, () => {
      code.get(target).get(source).access("f32.load").access("f32.store");
      forward(source, 1);
      forward(target, 1);
    });
    forward(line, step);
    forward(column, width);
  });
}

function packAlong(code: Code, packing: Packing): void {
  const { begin, end, from, to, width, panel } = packing;
  const [row, source, target] = ["pointer", "pointer", "pointer"].map(() => code.local("pointer")) as [
    Local,
    Local,
    Local,
  ];
  code.get(to).set(target);
  code.count(row, { from: () => code.get(begin), to: () => code.get(end), step: width }, () => {
    code
      .get(from)
      .get(row)
      .address(WORD * panel)
      .pointerOp("mul")
      .pointerOp("add")
      .set(source);
    code.get(end).get(row).pointerOp("sub").address(width).pointerOp("ge_u");
    code.if(
      () => wholePanel(code, packing, source, target),
      () => partOfPanel(code, packing, { row, source, target }),
    );
    code
      .get(target)
      .address(WORD * width * packing.length)
      .pointerOp("add")
      .set(target);
  });
}

function wholePanel(code: Code, { width, length, panel, step }: Packing, source: Local, target: Local): void {
  const [k, from, to] = [1, 2, 3].map(() => code.local("pointer")) as [Local, Local, Local];
  code.get(source).set(from).get(target).set(to);
  // Rows whose elements are neighbours are turned four elements at a time.
  const turned = step === 1 && panel !== 1 && length % 4 === 0;
  const at = turned ? 4 : 1;
  code.count(k, { to: () => code.address(length), step: at }, () => {
    if (turned) turn(code, { from, to, width, panel });
    else copy(code, { from, to, width, panel });
    code
      .get(from)
      .address(WORD * step * at)
      .pointerOp("add")
      .set(from);
    code
      .get(to)
      .address(WORD * width * at)
      .pointerOp("add")
      .set(to);
  });
}

interface Piece {
  readonly from: Local;
  readonly to: Local;
  readonly width: number;
  readonly panel: number;
}

/** One element of every row. */
function copy(code: Code, { from, to, width, panel }: Piece): void {
  let row = 0;
  for (; panel === 1 && row + 4 <= width; row += 4)
    code
      .get(to)
      .get(from)
      .vectorAccess("v128.load", WORD * row)
      .vectorAccess("v128.store", WORD * row);
  for (; row < width; row++)
    code
      .get(to)
      .get(from)
      .access("f32.load", WORD * panel * row)
      .access("f32.store", WORD * row);
}

/** Four elements of every row: blocks of four by four are transposed in registers, what is left goes one by one. */
function turn(code: Code, { from, to, width, panel }: Piece): void {
  const rows = [0, 1, 2, 3].map(() => code.local("v128")) as [Local, Local, Local, Local];
  const mixed = [0, 1, 2, 3].map(() => code.local("v128")) as [Local, Local, Local, Local];
  let row = 0;
  for (; row + 4 <= width; row += 4) {
    for (const [i, local] of rows.entries())
      code
        .get(from)
        .vectorAccess("v128.load", WORD * panel * (row + i))
        .set(local);
    for (const [i, local] of mixed.entries())
      code
        .get(rows[i < 2 ? 0 : 2]!)
        .get(rows[i < 2 ? 1 : 3]!)
        .shuffle(i % 2 === 0 ? [0, 4, 1, 5] : [2, 6, 3, 7])
        .set(local);
    for (let k = 0; k < 4; k++) {
      const [low, high] = k < 2 ? [mixed[0], mixed[2]] : [mixed[1], mixed[3]];
      code
        .get(to)
        .get(low)
        .get(high)
        .shuffle(k % 2 === 0 ? [0, 1, 4, 5] : [2, 3, 6, 7]);
      code.vectorAccess("v128.store", WORD * (width * k + row));
    }
  }
  for (; row < width; row++)
    for (let k = 0; k < 4; k++)
      code
        .get(to)
        .get(from)
        .access("f32.load", WORD * (panel * row + k))
        .access("f32.store", WORD * (width * k + row));
}

function partOfPanel(
  code: Code,
  packing: Packing,
  { row, source, target }: { row: Local; source: Local; target: Local },
): void {
  const { width, length, panel, step, end } = packing;
  const [i, k, from, to] = [1, 2, 3, 4].map(() => code.local("pointer")) as [Local, Local, Local, Local];
  code.count(i, { to: () => code.address(width) }, () => {
    code
      .get(source)
      .get(i)
      .address(WORD * panel)
      .pointerOp("mul")
      .pointerOp("add")
      .set(from);
    code.get(target).get(i).address(WORD).pointerOp("mul").pointerOp("add").set(to);
    code.count(k, { to: () => code.address(length) }, () => {
      code.get(row).get(i).pointerOp("add").get(end).pointerOp("lt_u");
      code.if(
        () => code.get(to).get(from).access("f32.load").access("f32.store"),
        () => code.get(to).f32(0).access("f32.store"),
      );
      code
        .get(from)
        .address(WORD * step)
        .pointerOp("add")
        .set(from);
      code
        .get(to)
        .address(WORD * width)
        .pointerOp("add")
        .set(to);
    });
  });
}
