import { size, type Tensor } from "@finegrain/graph";
import { dataTypeOf, type ModelBuilder } from "../model-builder.ts";
import type { Lowerings } from "./lowering.ts";

/** Up to this many rows, rows are summed by a product with a one-hot matrix: ScatterElements adds on one thread. */
const ONE_HOT_ROWS = 1024;

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
      const classes = m.constant(
        "int32",
        [1, rows],
        Array.from({ length: rows }, (_, i) => i),
      );
      const hot = m.node("Cast", [m.node("Equal", [m.reshape(indices!, [count, 1]), classes])], {
        to: dataTypeOf("float32"),
      });
      const sum = m.node("Gemm", [hot, m.reshape(updates!, [count, columns])], { transA: 1 });
      return m.reshape(sum, out.shape);
    }
    // Not ScatterND: its threads race where an index comes twice, and lose updates.
    const at = m.node("Expand", [m.reshape(indices!, [count, 1]), m.ints(count, columns)]);
    const zeros = m.fill({ dtype: out.dtype, shape: [rows, columns] }, 0);
    const flat = m.reshape(updates!, [count, columns]);
    return m.reshape(m.node("ScatterElements", [zeros, at, flat], { axis: 0, reduction: "add" }), out.shape);
  }

  return {
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
