import { size } from "@finegrain/graph";
import type { InPlace } from "../machine.ts";
import type { ProgramBuilder, Value } from "../program-builder.ts";
import type { Binding } from "./binding.ts";
import { Operations, operation } from "./operations.ts";

/**
 * Rows written into a tensor itself, by TensorFlow's InplaceUpdate: whoever shares the numbers sees them change. So a tensor is
 * copied before it is written into for the first time, and again after anything else was given it.
 *
 * Not a variable: once one is written by rows, TensorFlow copies all of it whenever it is read.
 */
export class OwnTensors implements InPlace<number> {
  readonly #copy: (ids: readonly number[]) => number;
  readonly #binding: Binding;
  /** Handles whose numbers no other handle shares. */
  readonly #own = new Set<number>();

  constructor(binding: Binding) {
    this.#binding = binding;
    this.#copy = operation(binding, "DeepCopy", {});
  }

  open(handle: number): number {
    if (this.#own.has(handle)) return handle;
    const copy = this.#copy([handle]);
    this.#binding.deleteTensor(handle);
    this.#own.add(copy);
    return copy;
  }

  lend(handle: number): void {
    this.#own.delete(handle);
  }

  write(
    builder: ProgramBuilder<number>,
    { into, rows, start, axis }: { into: Value; rows: Value; start: Value; axis: number },
  ): { written: Value; read: Value } {
    const tf = new Operations(builder, this.#binding);
    const [outer, inner] = [size(into.shape.slice(0, axis)), size(into.shape.slice(axis + 1))];
    const [extent, count] = [into.shape[axis]!, rows.shape[axis]!];
    // The tensor as rows of what is behind the axis: row `outer * extent + start` and those that follow are replaced.
    const base = Array.from({ length: outer * count }, (_, k) => Math.floor(k / count) * extent + (k % count));
    const places = tf.op("AddV2", [tf.ints(...base), start], { dtype: "int32", shape: [base.length] });
    const lines = tf.settled(tf.reshape(rows, [base.length, inner]));
    const matrix = tf.settled(tf.reshape(into, [outer * extent, inner]));
    const update = operation(this.#binding, "InplaceUpdate", {});
    const written = builder.step("write", [matrix, places, lines, into], into, ([tensor, at, values, whole]) => {
      this.#binding.deleteTensor(update([tensor!, at!, values!]));
      return whole!;
    });
    return { written, read: written };
  }
}
