import { type ReduceAttrs, size, type Tensor } from "@finegrain/graph";
import { dataTypeOf, type ModelBuilder } from "../model-builder.ts";
import type { Lowerings } from "./lowering.ts";

export function reductions(m: ModelBuilder) {
  const reduce =
    (opType: string) =>
    ([x]: string[], { axes, keepDims = false }: ReduceAttrs, out: Tensor): string => {
      if (size(out.inputs[0]!.shape) === 0) return m.fill(out, 0);
      return m.node(opType, [x!, m.ints(...axes)], { keepdims: keepDims ? 1 : 0, noop_with_empty_axes: 1 });
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
