import { type ReduceAttrs, type Shape, size, type Tensor } from "@finegrain/graph";
import { dataTypeOf, type ModelBuilder } from "../model-builder.ts";
import type { Lowerings } from "./lowering.ts";

/** From this many rows on, rows are reduced in two steps: ONNX Runtime takes one pass over all of them four times as long. */
const MANY_ROWS = 256;

/** [A, B, C] of a reduction over the A · B leading rows, with A near B; undefined where it is not of leading rows, or of few. */
function stepsOf(shape: Shape, axes: readonly number[]): Shape | undefined {
  if (axes.length === shape.length || !axes.every((axis, i) => axis === i)) return undefined;
  const rows = size(shape.slice(0, axes.length));
  if (rows < MANY_ROWS) return undefined;
  let outer = Math.floor(Math.sqrt(rows));
  while (rows % outer !== 0) outer--;
  return outer === 1 ? undefined : [outer, rows / outer, size(shape) / rows];
}

export function reductions(m: ModelBuilder) {
  const reduce =
    (opType: string) =>
    ([x]: string[], { axes, keepDims = false }: ReduceAttrs, out: Tensor): string => {
      if (size(out.inputs[0]!.shape) === 0) return m.fill(out, 0);
      const nodeOf = (value: string, over: readonly number[], keepdims = 0) =>
        m.node(opType, [value, m.ints(...over)], { keepdims, noop_with_empty_axes: 1 });
      const steps = stepsOf(out.inputs[0]!.shape, axes);
      if (steps === undefined) return nodeOf(x!, axes, keepDims ? 1 : 0);
      return m.reshape(nodeOf(nodeOf(m.reshape(x!, steps), [1]), [0]), out.shape);
    };
  const toInt32 = (x: string) => m.node("Cast", [x], { to: dataTypeOf("int32") });
  const last = { axis: -1 };
  return {
    reduceSum: reduce("ReduceSum"),
    reduceMax: reduce("ReduceMax"),
    mean: reduce("ReduceMean"),
    argMax: ([x]) => toInt32(m.node("ArgMax", [x!], { axis: -1, keepdims: 0 })),
    topK: ([x], { k }) => toInt32(m.nodes("TopK", [x!, m.ints(k)], 2, last)[1]!),
    softmax: ([x]) => m.node("Softmax", [x!], last),
    logSoftmax: ([x]) => m.node("LogSoftmax", [x!], last),
    layerNorm: ([x, scale, bias], { epsilon }) =>
      m.node("LayerNormalization", [x!, scale!, bias!], { axis: -1, epsilon: { float: epsilon } }),
    rmsNorm: ([x, scale], { epsilon }) =>
      m.node("SimplifiedLayerNormalization", [x!, scale!], { axis: -1, epsilon: { float: epsilon } }),
  } satisfies Lowerings;
}
