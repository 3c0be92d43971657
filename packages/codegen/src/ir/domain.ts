import type { Shape } from "@finegrain/graph";
import { addIndex, constantIndex, type Index, type SplitLoop } from "./index-form.ts";

/** The axes that a kernel runs over, each as one loop, or as several where an index inside it asks for that. */
export class Domain {
  /** Extents of every axis's loops, outermost first. */
  readonly #loops: number[][];

  constructor(shape: Shape) {
    this.#loops = shape.map((extent) => [extent]);
  }

  split({ loop, inner }: SplitLoop): void {
    let at = loop;
    for (const loops of this.#loops) {
      if (at < loops.length) {
        loops.splice(at, 1, loops[at]! / inner, inner);
        return;
      }
      at -= loops.length;
    }
  }

  get extents(): number[] {
    return this.#loops.flat();
  }

  /** How many loops the first `axes` axes have. */
  loopsOf(axes: number): number {
    return this.#loops.slice(0, axes).flat().length;
  }

  /** The place along every axis. */
  get places(): Index[] {
    const total = this.extents.length;
    let first = 0;
    return this.#loops.map((loops) => {
      let place = constantIndex(0, total);
      let stride = 1;
      for (let k = loops.length - 1; k >= 0; k--) {
        const strides = new Array<number>(total).fill(0);
        // A loop of one iteration stays at 0, so that it does not keep others from becoming one.
        strides[first + k] = loops[k] === 1 ? 0 : stride;
        place = addIndex(place, { offset: 0, strides, dynamic: [] });
        stride *= loops[k]!;
      }
      first += loops.length;
      return place;
    });
  }
}
