import { expressionsOf } from "@finegrain/codegen";
import { size } from "@finegrain/graph";
import type { Accumulator } from "./accumulator.ts";
import { type Division, ReducingRenderer, strides, unrolled } from "./loop-renderer.ts";
import { Strip } from "./strip.ts";

/** One result at a time: the lanes are neighbours in the reduced loop. */
export class RowRenderer extends ReducingRenderer {
  render(): Division {
    const { kernel, reduction } = this;
    const parallel = kernel.extents.length;
    const last = parallel + reduction.extents.length - 1;
    const outer = reduction.extents.slice(1).map((_, k) => parallel + k);
    const vectors = reduction.op === "argMax" ? 1 : unrolled(expressionsOf(reduction.body).length);
    const wide = this.accumulators(vectors);
    const [single] = this.accumulators(1) as [Accumulator];
    this.forUnits(parallel, () => {
      for (const accumulator of [...wide, single]) accumulator.reset();
      this.nest(outer, reduction.extents, () => this.#row(last, wide, single));
      for (const other of wide.slice(1)) wide[0]!.merge(other);
      wide[0]!.gather();
      wide[0]!.merge(single);
      this.finish([wide[0]!.result], undefined, 1);
    });
    const units = size(kernel.extents);
    return { units, grain: 1, rows: units };
  }

  #row(last: number, wide: readonly Accumulator[], single: Accumulator): void {
    const { reduction, code, frame, kernel } = this;
    const along = reduction.extents.length > 0 ? last : undefined;
    const strip = new Strip(frame, { roots: [reduction.body], along, vector: along, lanes: 4 });
    const at = reduction.op === "argMax" ? code.local("v128") : undefined;
    if (at !== undefined) code.lanes([0, 1, 2, 3], "i32").set(at);
    const fold = (vectors: number, lanes: 1 | 4) => {
      for (let k = 0; k < vectors; k++) {
        strip.writer({ shift: 4 * k }, lanes).write(reduction.body);
        (lanes === 1 ? single : wide[k]!).fold(() => code.get(at!));
      }
      if (at !== undefined)
        code
          .get(at)
          .splat(lanes * vectors, "i32")
          .vector("i32x4.add")
          .set(at);
      strip.advance(lanes * vectors);
    };
    if (along === undefined) fold(1, 1);
    else strides(code, { known: reduction.extents[last - kernel.extents.length]! }, wide.length, fold);
  }
}
