import { expressionsOf } from "@finegrain/codegen";
import { size } from "@finegrain/graph";
import type { Local } from "../../assembler/code.ts";
import { type Count, type Division, ReducingRenderer, strides, unrolled } from "./loop-renderer.ts";
import { Strip } from "./strip.ts";

/** Neighbouring results at a time: the lanes are neighbours in the last parallel loop. */
export class ColumnRenderer extends ReducingRenderer {
  render(): Division {
    const { kernel, opening, code } = this;
    const column = kernel.extents.length - 1;
    const length = kernel.extents[column]!;
    const at = code.local("pointer");
    this.frame.coordinates.set(column, at);
    if (column === 0) {
      const count = code.local("pointer");
      code.get(opening.begin).set(at).get(opening.end).get(opening.begin).pointerOp("sub").set(count);
      this.#columns(at, { local: count });
      return { units: length, grain: 16, rows: length };
    }
    this.forUnits(column, () => {
      code.address(0).set(at);
      this.#columns(at, { known: length });
    });
    const units = size(kernel.extents) / length;
    return { units, grain: 1, rows: units };
  }

  #columns(at: Local, count: Count): void {
    const { code, reduction } = this;
    strides(code, count, unrolled(expressionsOf(reduction.body).length), (vectors, lanes) => {
      this.#block(vectors, lanes);
      code
        .get(at)
        .address(lanes * vectors)
        .pointerOp("add")
        .set(at);
    });
  }

  #block(vectors: number, lanes: 1 | 4): void {
    const { kernel, reduction, frame, code } = this;
    const parallel = kernel.extents.length;
    const column = parallel - 1;
    const along = parallel + reduction.extents.length - 1;
    const outer = reduction.extents.slice(1).map((_, k) => parallel + k);
    const accumulators = this.accumulators(vectors);
    for (const accumulator of accumulators) accumulator.reset();
    this.nest(outer, reduction.extents, () => {
      const strip = new Strip(frame, { roots: [reduction.body], along, vector: column, lanes, vectors });
      const index = reduction.op === "argMax" ? code.local("v128") : undefined;
      if (index !== undefined) code.splat(0, "i32").set(index);
      const turn = code.local("pointer");
      code.count(turn, { to: () => code.address(reduction.extents.at(-1)!) }, () => {
        accumulators.forEach((accumulator, k) => {
          strip.writer({ shift: 4 * k }).write(reduction.body);
          accumulator.fold(() => code.get(index!));
        });
        strip.advance(1);
        if (index !== undefined) code.get(index).splat(1, "i32").vector("i32x4.add").set(index);
      });
    });
    this.finish(
      accumulators.map(({ result }) => result),
      column,
      lanes,
    );
  }
}
