import { expressionsOf } from "@finegrain/codegen";
import { size } from "@finegrain/graph";
import { type Count, type Division, LoopRenderer, strides, unrolled } from "./loop-renderer.ts";
import { Strip } from "./strip.ts";

/** No reduction: every element by itself. */
export class ElementwiseRenderer extends LoopRenderer {
  render(): Division {
    const { kernel, code, opening, frame } = this;
    const inner = kernel.extents.length - 1;
    const strip = (count: Count | undefined) => this.#strip(inner, count);
    if (inner < 0) {
      strip(undefined);
      return { units: 1, grain: 1, rows: 1 };
    }
    const length = kernel.extents[inner]!;
    if (inner === 0) {
      frame.coordinates.set(0, opening.begin);
      const count = code.local("pointer");
      code.get(opening.end).get(opening.begin).pointerOp("sub").set(count);
      strip({ local: count });
      return { units: length, grain: 16, rows: length };
    }
    this.forUnits(inner, () => strip({ known: length }));
    const units = size(kernel.extents) / length;
    return { units, grain: 1, rows: units };
  }

  #strip(inner: number, count: Count | undefined): void {
    const { kernel, code, frame } = this;
    const along = count === undefined ? undefined : inner;
    const strip = new Strip(frame, { roots: [kernel.result], store: kernel, along, vector: along, lanes: 4 });
    const element = (vectors: number, lanes: 1 | 4) => {
      for (let k = 0; k < vectors; k++) {
        strip.writer({ shift: 4 * k }, lanes).write(kernel.result);
        strip.store(4 * k, lanes);
      }
      strip.advance(lanes * vectors);
    };
    if (count === undefined) element(1, 1);
    else strides(code, count, unrolled(expressionsOf(kernel.result).length), element);
  }
}
