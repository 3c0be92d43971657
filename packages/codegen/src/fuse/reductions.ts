import { parseEinsum, type Tensor } from "@finegrain/graph";
import { call } from "../ir/expression.ts";
import type { Index } from "../ir/index-form.ts";
import type { Reduction } from "../ir/kernel.ts";
import { dequantized } from "./dequantize.ts";
import { attrsOf, type Inliner, isView, NeedsBuffer } from "./inline.ts";
import { untilOf } from "./sequence-ends.ts";

/** How an op that reduces is written as a kernel. */
interface ReductionRule {
  readonly op: Reduction["op"];
  /** What is reduced, at places of the result's axes and of the reduced ones. */
  body(
    x: Tensor,
    own: readonly Index[],
    reduced: readonly Index[],
    inliner: Inliner,
  ): Pick<Reduction, "body" | "until">;
}

const reducedAxes = (x: Tensor): readonly number[] =>
  x.op === "argMax" ? [x.inputs[0]!.shape.length - 1] : attrsOf("reduceSum", x).axes.toSorted((a, b) => a - b);

const reductionOf = (op: Reduction["op"]): ReductionRule => ({
  op,
  body(node, own, reduced, inliner) {
    const x = node.inputs[0]!;
    const axes = reducedAxes(node);
    // With keepDims a reduced axis has a place among the result's own, else it has none.
    const kept = node.shape.length === x.shape.length;
    let next = 0;
    const places = x.shape.map((_, axis) => {
      const k = axes.indexOf(axis);
      if (k >= 0) {
        if (kept && axes.length > 0) next++;
        return reduced[k]!;
      }
      return own[next++]!;
    });
    return { body: inliner.element(x, places) };
  },
});

export const reductions: Readonly<Record<string, ReductionRule>> = {
  reduceSum: reductionOf("sum"),
  reduceMax: reductionOf("max"),
  argMax: reductionOf("argMax"),
  einsum: {
    op: "sum",
    body(node, own, reduced, inliner) {
      const spec = parseEinsum(attrsOf("einsum", node));
      const summed = [...spec.summed, ...spec.lonely];
      const placeOf = (axis: string) => own[spec.out.indexOf(axis)] ?? reduced[summed.indexOf(axis)]!;
      const [x, y] = node.inputs.map((operand, i) => {
        const element = inliner.element(operand, (i === 0 ? spec.x : spec.y).map(placeOf));
        // A product reads its operands more than once, or copies them into its own order: not the place to compute them.
        if (element.kind === "call" && !dequantized(element)) throw new NeedsBuffer(computedBase(operand));
        return element;
      });
      const until = untilOf(node, placeOf, inliner);
      return { body: call("mul", "float32", x!, y!), ...(until && { until }) };
    },
  },
};

const computedBase = (x: Tensor): Tensor => (isView(x) ? computedBase(x.inputs[0]!) : x);

/** Extents of the loops that the op reduces over. */
export function reducedExtents(x: Tensor): number[] {
  if (x.op !== "einsum") return reducedAxes(x).map((axis) => x.inputs[0]!.shape[axis]!);
  const spec = parseEinsum(attrsOf("einsum", x));
  return [...spec.summed, ...spec.lonely].map((axis) => {
    const at = spec.x.indexOf(axis);
    return at >= 0 ? x.inputs[0]!.shape[at]! : x.inputs[1]!.shape[spec.y.indexOf(axis)]!;
  });
}
