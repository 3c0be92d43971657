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
 * Values that a thread reads or makes at most in a part: some milliseconds' work, after which a page draws and an abort is heard. All threads meet
 * behind each part, so that smaller ones cost more.
 */
const MOST = 2 ** 26;

/**
 * Groups of steps in parts. A step that would be too much by itself is cut into pieces.
 * @param most values of a part.
 */
export function inParts(groups: readonly (readonly Step[])[], threads: number, most = threads * MOST): Part[] {
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
        const of = Math.max(1, Math.min(Math.ceil(step.operations / most), step.share));
        for (let nth = 0; nth < of; nth++) put([{ step, number: first + i, nth, of }], step.operations / of);
      });
  }
  return parts.length > 0 ? parts : [[]];
}

/** Where a piece is in a thread's share of its step's units. */
export function rangeOf({ step: { share, rendered }, nth, of }: Piece): {
  readonly begin: number;
  readonly end: number;
} {
  const { grain } = rendered;
  const at = (n: number) => (n === of ? share : Math.floor((share * n) / of / grain) * grain);
  return { begin: at(nth), end: at(nth + 1) };
}
