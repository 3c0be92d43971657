import type { Step } from "./schedule.ts";

/** A range of a step's units. */
export interface Piece {
  readonly step: Step;
  /** Of the program's steps. */
  readonly number: number;
  readonly nth: number;
  /** Pieces that the step is in. */
  readonly of: number;
}

/** What a run does before its thread may do something else: pieces in groups, between which all threads meet. */
export type Part = readonly (readonly Piece[])[];

/**
 * Values that a part reads or makes at most. A page draws between parts, which are some milliseconds' work there. A product that is cut packs its
 * operands once for each part, so that elsewhere a part is as much as an abort may wait for.
 */
const MOST = "document" in globalThis ? 2 ** 24 : 2 ** 28;

/**
 * Groups of steps in parts. A step that would be too much by itself is cut into pieces.
 * @param most values of a part.
 */
export function inParts(groups: readonly (readonly Step[])[], most = MOST): Part[] {
  const parts: Piece[][][] = [];
  let [number, left] = [0, 0];
  const put = (group: Piece[], operations: number): void => {
    if (parts.length === 0 || operations > left) {
      parts.push([]);
      left = most;
    }
    parts.at(-1)!.push(group); // there is one
    left -= operations;
  };
  for (const group of groups) {
    const first = number;
    number += group.length;
    const operations = group.reduce((sum, step) => sum + step.operations, 0);
    if (operations <= most)
      put(
        group.map((step, i) => ({ step, number: first + i, nth: 0, of: 1 })),
        operations,
      );
    else
      group.forEach((step, i) => {
        const of = Math.max(1, Math.min(Math.ceil(step.operations / most), Math.floor(step.rendered.units)));
        for (let nth = 0; nth < of; nth++) put([{ step, number: first + i, nth, of }], step.operations / of);
      });
  }
  return parts.length > 0 ? parts : [[]];
}

/** Where a piece is in a range of `length` units. */
export function rangeOf({ step, nth, of }: Piece, length: number): { readonly begin: number; readonly end: number } {
  const { grain } = step.rendered;
  const at = (n: number) => (n === of ? length : Math.floor((length * n) / of / grain) * grain);
  return { begin: at(nth), end: at(nth + 1) };
}
