import type { LoopKernel } from "@finegrain/codegen";
import { size } from "@finegrain/graph";
import type { Bindings } from "./bindings.ts";
import type { Block } from "./block.ts";
import { ExpressionWriter, isAligned, unsigned } from "./expression.ts";

/** Lines that take an item's number apart into the variables of loops: by fourths, where one is known of it. @returns their names. */
export function decode(
  block: Block,
  item: string,
  loops: readonly number[],
  extents: readonly number[],
): Map<number, string> {
  const names = new Map<number, string>();
  let rest = item;
  loops.toReversed().forEach((loop, k) => {
    if (k === loops.length - 1) {
      names.set(loop, rest);
      return;
    }
    const extent = Math.max(1, extents[loop]!); // compilers refuse a division by 0 in a loop that never runs
    const fourth = k === 0 && extent % 4 === 0 ? block.knownFourth(item) : undefined;
    const [whole, by] = fourth === undefined ? [rest, extent] : [fourth, extent / 4];
    const own = block.let(remainder(whole, by));
    names.set(loop, fourth === undefined ? own : block.fours(own));
    rest = block.let(quotient(whole, by));
  });
  return names;
}

// By shifts and masks where they do: drivers for CPUs divide lane by lane.
const quotient = (a: string, b: number): string =>
  Number.isInteger(Math.log2(b)) ? `${a} >> ${Math.log2(b)}u` : `${a} / ${b}u`;
const remainder = (a: string, b: number): string =>
  Number.isInteger(Math.log2(b)) ? `${a} & ${b - 1}u` : `${a} % ${b}u`;

/** How a kernel's iterations are counted: the variable that counts them, where it begins, and how many it counts at once. */
export interface Count {
  readonly name: string;
  readonly from: string;
  readonly each: 1 | 4;
}

/** One by one, as `item`, from the first of a workgroup on. */
export const ONE_BY_ONE: Count = { name: "item", from: "first", each: 1 };

/**
 * The variables of a kernel's parallel loops. Those outside of a workgroup's row come from its start, `first`: all lanes know them to be the same,
 * and read what depends on them once.
 *
 * @param row iterations of a workgroup, where it has a row.
 */
export function decodeItem(
  block: Block,
  extents: readonly number[],
  row: number | undefined,
  { name, from, each }: Count = ONE_BY_ONE,
): Map<number, string> {
  const item = (count: string) => (each === 4 ? block.fours(count) : count);
  const loops = extents.map((_, loop) => loop);
  const split = row === undefined ? 0 : loops.find((loop) => loop > 0 && size(extents.slice(loop)) === row);
  if (!split) return decode(block, item(name), loops, extents);
  return new Map([
    ...decode(block, block.let(`first / ${row}u`), loops.slice(0, split), extents),
    ...decode(block, item(block.let(`${name} - ${from}`)), loops.slice(split), extents),
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
  if (!four) {
    block.add(bindings.store(to, writer.index(at), writer.value(result)));
    return;
  }
  const value = writer.value(result, 4);
  if (isAligned({ at }, vector)) {
    block.add(bindings.store(to, writer.index(at, 4), value, 4));
    return;
  }
  const index = writer.index(at);
  ["x", "y", "z", "w"].forEach((lane, k) => {
    const place = k === 0 ? index : `${index} + ${unsigned(k * at.strides[vector]!)}`;
    block.add(bindings.store(to, place, `${value}.${lane}`));
  });
}
