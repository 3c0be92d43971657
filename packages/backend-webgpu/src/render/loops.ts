import type { LoopKernel } from "@finegrain/codegen";
import { size } from "@finegrain/graph";
import type { Bindings } from "./bindings.ts";
import type { Block } from "./block.ts";
import { ExpressionWriter, isAligned, unsigned } from "./expression.ts";

/** Lines that take an item's number apart into the variables of loops. @returns their names. */
export function decode(
  block: Block,
  item: string,
  loops: readonly number[],
  extents: readonly number[],
): Map<number, string> {
  const names = new Map<number, string>();
  let rest = item;
  loops.toReversed().forEach((loop, k) => {
    const extent = unsigned(Math.max(1, extents[loop]!)); // compilers refuse a division by 0 in a loop that never runs
    const last = k === loops.length - 1;
    names.set(loop, last ? rest : block.let(`${rest} % ${extent}`));
    if (!last) rest = block.let(`${rest} / ${extent}`);
  });
  return names;
}

/**
 * The variables of a kernel's parallel loops for the iteration `item`. Those outside of a workgroup's row come from its start, `first`: all lanes
 * know them to be the same, and read what depends on them once.
 *
 * @param row iterations of a workgroup, where it has a row.
 */
export function decodeItem(block: Block, extents: readonly number[], row: number | undefined): Map<number, string> {
  const loops = extents.map((_, loop) => loop);
  const split = row === undefined ? 0 : loops.find((loop) => loop > 0 && size(extents.slice(loop)) === row);
  if (!split) return decode(block, "item", loops, extents);
  return new Map([
    ...decode(block, block.let(`first / ${row}u`), loops.slice(0, split), extents),
    ...decode(block, block.let("item - first"), loops.slice(split), extents),
  ]);
}

/** Lines that store a kernel's result: one element, or four neighbours along its last parallel loop. */
export function storeResult(
  { result, at, to, extents }: LoopKernel,
  {
    block,
    loops,
    bindings,
    reduced,
    four = false,
  }: {
    block: Block;
    loops: ReadonlyMap<number, string>;
    bindings: Bindings;
    reduced?: string;
    four?: boolean;
  },
): void {
  const vector = extents.length - 1;
  const writer = new ExpressionWriter(bindings, [{ block, loops }], {
    ...(four && { vector }),
    ...(reduced !== undefined && { reduced }),
  });
  const index = writer.index(at);
  if (!four) {
    block.add(bindings.store(to, index, writer.value(result)));
    return;
  }
  const value = writer.value(result, 4);
  if (isAligned({ at }, vector)) {
    block.add(bindings.store(to, index, value, 4));
    return;
  }
  ["x", "y", "z", "w"].forEach((lane, k) => {
    const place = k === 0 ? index : `${index} + ${unsigned(k * at.strides[vector]!)}`;
    block.add(bindings.store(to, place, `${value}.${lane}`));
  });
}
