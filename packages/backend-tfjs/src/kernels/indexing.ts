import { size, type Tensor } from "@finegrain/graph";
import type * as Tf from "@tensorflow/tfjs-core";
import type { PartialLowerings } from "../lowering.ts";
import type { Value } from "../program-builder.ts";
import type { Kernels } from "./kernels.ts";

export function indexing(k: Kernels) {
  const { tf } = k;
  /** Rows from a place that the run decides. These engines' memory is the host's: the place is read there. */
  const rowsFrom = (x: Value, start: Value, axis: number, length: number): Value => {
    const shape = x.shape.map((n, i) => (i === axis ? length : n));
    return k.builder.step(`rows ${axis} ${length}`, [x, start], { dtype: x.dtype, shape }, ([from, at]) => {
      const begin = shape.map((_, i) => (i === axis ? at!.dataSync()[0]! : 0));
      return tf.engine().runKernel("Slice", { x: from! }, { begin, size: shape });
    });
  };
  return {
    gather: ([x, indices], _, out) => k.run("GatherV2", { x: x!, indices: indices! }, out, { axis: 0, batchDims: 0 }),
    scatterAdd([indices, updates], { rows }, out) {
      const count = size(indices!.shape);
      const row = out.shape.slice(1);
      if (size(updates!.shape) === 0) return k.fill(out, 0);
      const places = k.reshape(indices!, [count, 1]);
      return k.run("ScatterNd", { indices: places, updates: k.reshape(updates!, [count, ...row]) }, out, {
        shape: [rows, ...row],
      });
    },
    dynamicSlice: ([x, start], { axis, length }) => rowsFrom(x!, start!, axis, length),
    updateSlice([x, rows, start], { axis }, out: Tensor) {
      if (size(rows!.shape) === 0) return x!;
      return k.builder.step(`update ${axis}`, [x!, rows!, start!], out, ([old, fresh, at]) => {
        const begin = at!.dataSync()[0]!;
        const end = begin + rows!.shape[axis]!;
        const part = (from: number, to: number) =>
          tf.engine().runKernel(
            "Slice",
            { x: old! },
            {
              begin: out.shape.map((_, i) => (i === axis ? from : 0)),
              size: out.shape.map((n, i) => (i === axis ? to - from : n)),
            },
          ) as Tf.Tensor;
        const parts = [part(0, begin), fresh!, part(end, out.shape[axis]!)].filter(({ size: n }) => n > 0);
        return tf.concat(parts, axis);
      });
    },
  } satisfies PartialLowerings;
}
