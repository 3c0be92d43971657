import { type ReduceAttrs, size, type Tensor } from "@finegrain/graph";
import type { PartialLowerings } from "../lowering.ts";
import type { Value } from "../program-builder.ts";
import type { Kernels } from "./kernels.ts";

export function reductions(k: Kernels) {
  const reduce =
    (name: string, axisName: string) =>
    ([x]: Value[], { axes, keepDims = false }: ReduceAttrs, out: Tensor): Value => {
      if (size(x!.shape) === 0) return k.fill(out, 0);
      return axes.length === 0 ? x! : k.run(name, { x: x! }, out, { [axisName]: axes, keepDims });
    };
  const last = (x: Value) => x.shape.length - 1;
  return {
    reduceSum: reduce("Sum", "axis"),
    reduceMax: reduce("Max", "reductionIndices"),
    mean: reduce("Mean", "axis"),
    argMax: ([x], _, out) => k.run("ArgMax", { x: x! }, out, { axis: last(x!) }),
    topK: ([x], { k: count }, out) => k.run("TopK", { x: x! }, out, { k: count, sorted: true }, 1),
    softmax: ([logits], _, out) => k.run("Softmax", { logits: logits! }, out, { dim: last(logits!) }),
  } satisfies PartialLowerings;
}
