import type { DType } from "@finegrain/graph";

/** Where a value lives while a program runs. */
export interface ProgramBuffer {
  readonly dtype: DType;
  /** Elements. */
  readonly size: number;
  readonly place: BufferPlace;
}

export type BufferPlace =
  /** Given to each run. */
  | { readonly kind: "input"; readonly index: number }
  /** Made by a run and handed out. */
  | { readonly kind: "output"; readonly index: number }
  /** Part of the program. */
  | { readonly kind: "constant"; readonly data: readonly number[] }
  /** Lives within a run. */
  | { readonly kind: "temporary" };

/** Whether it is in the arena of a program's memory, and in no buffer that a run is given or hands out. */
export const isInArena = ({ place }: ProgramBuffer): boolean => place.kind === "temporary" || place.kind === "constant";
