import { type Shape, size, type Tensor } from "@finegrain/graph";
import { dataTypeOf, type ModelBuilder } from "../model-builder.ts";
import type { Lowerings } from "./lowering.ts";

/** Up to this many rows, rows are summed by a product with a one-hot matrix: ScatterElements adds on one thread. */
const ONE_HOT_ROWS = 1024;

/** Up to this many classes, one-hot rows come from a table: a comparison with each class takes three times as long. */
const TABLE_CLASSES = 64;

export function indexing(m: ModelBuilder) {
  const zero = () => m.constant("int32", [1], [0]);
  /** x from `begin` to `end` along an axis; both int32 [1]. */
  const along = (x: string, begin: string, end: string, axis: number) =>
    m.node("Slice", [x, begin, end, m.constant("int32", [1], [axis])]);
  const oneElement = (start: string) => m.reshape(start, [1]);
  const plus = (start: string, n: number) => m.node("Add", [start, m.constant("int32", [1], [n])]);

  function scatterAdd([indices, updates]: string[], { rows }: { rows: number }, out: Tensor): string {
    const [index, update] = out.inputs as [Tensor, Tensor];
    const count = size(index.shape);
    if (size(update.shape) === 0) return m.fill(out, 0);
    const columns = size(update.shape) / count;
    if (rows <= ONE_HOT_ROWS) {
      const sum = m.node("Gemm", [hotOf(indices!, [count], rows), m.reshape(updates!, [count, columns])], {
        transA: 1,
      });
      return m.reshape(sum, out.shape);
    }
    // Not ScatterND: its threads race where an index comes twice, and lose updates.
    const at = m.node("Expand", [m.reshape(indices!, [count, 1]), m.ints(count, columns)]);
    const zeros = m.fill({ dtype: out.dtype, shape: [rows, columns] }, 0);
    const flat = m.reshape(updates!, [count, columns]);
    return m.reshape(m.node("ScatterElements", [zeros, at, flat], { axis: 0, reduction: "add" }), out.shape);
  }

  /** Rows of a table that ends in one of zeros, which is for every index out of range. */
  function oneHot([indices]: string[], { classes }: { classes: number }, out: Tensor): string {
    if (classes > TABLE_CLASSES) return hotOf(indices!, out.inputs[0]!.shape, classes);
    // As unsigned numbers, those below zero are beyond the table too.
    const unsigned = m.node("Cast", [indices!], { to: dataTypeOf("uint32") });
    const last = m.node("Cast", [m.constant("int32", [], [classes])], { to: dataTypeOf("uint32") });
    const row = m.node("Cast", [m.node("Min", [unsigned, last])], { to: dataTypeOf("int32") });
    const table = Array.from({ length: (classes + 1) * classes }, (_, i) => (i % (classes + 1) === 0 ? 1 : 0));
    return m.node("Gather", [m.constant("float32", [classes + 1, classes], table), row], { axis: 0 });
  }

  /** 1 where an index is the class, by a comparison with each: [..., classes]. */
  function hotOf(indices: string, shape: Shape, classes: number): string {
    const equal = m.node("Equal", [m.reshape(indices, [...shape, 1]), m.range(classes)]);
    return m.node("Cast", [equal], { to: dataTypeOf("float32") });
  }

  return {
    oneHot,
    gather: (inputs) => m.node("Gather", inputs, { axis: 0 }),
    scatterAdd,
    dynamicSlice([x, start], { axis, length }) {
      const begin = oneElement(start!);
      return along(x!, begin, plus(begin, length), axis);
    },
    updateSlice([x, update, start], { axis }, out) {
      const [whole, part] = out.inputs as [Tensor, Tensor];
      if (size(part.shape) === 0) return x!;
      const begin = oneElement(start!);
      const before = along(x!, zero(), begin, axis);
      const after = along(x!, plus(begin, part.shape[axis]!), m.constant("int32", [1], [whole.shape[axis]!]), axis);
      return m.node("Concat", [before, update!, after], { axis });
    },
  } satisfies Lowerings;
}
