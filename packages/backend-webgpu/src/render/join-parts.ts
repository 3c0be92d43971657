import type { Block } from "./block.ts";
import { loopEnd } from "./kernel.ts";
import type { Target } from "./target.ts";

/** Lanes that have a part of a sum each. Their variable `part` counts from 0. */
export interface Parts {
  readonly parts: number;
  /** Lanes between one part and the next. */
  readonly stride: number;
  /** What `part` counts of each. Default 1. */
  readonly unit?: number;
}

/** How parts are joined, through the array `scratch` of the workgroup's memory. */
export interface Joining {
  /** Lines that put what a lane has to its place, `scratch[lane]`. */
  readonly keep: readonly string[];
  /** Lines that add to it what another place has. @param other text of the place. */
  add(other: string): readonly string[];
}

/** Lines that bring the parts of a sum together in the lanes of the first one: two by two on a GPU, one by one on a CPU, whose lanes take turns. */
export function joinParts(block: Block, { parts, stride, unit = 1 }: Parts, target: Target, joining: Joining): void {
  block.add("workgroupBarrier();", ...joining.keep, "workgroupBarrier();");
  if (target.cpu) {
    block.nest(`for (var other = 1u; part == 0u && other < ${loopEnd(parts, target)}; other++)`, (inner) =>
      inner.add(...joining.add(`lane + other * ${stride}u`)),
    );
    return;
  }
  for (let half = parts / 2; half >= 1; half /= 2) {
    block.nest(`if (part < ${half * unit}u)`, (inner) => {
      inner.add(...joining.add(`lane + ${half * stride}u`), ...(half > 1 ? joining.keep : []));
    });
    if (half > 1) block.add("workgroupBarrier();");
  }
}
