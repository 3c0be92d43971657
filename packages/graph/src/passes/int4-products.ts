import type { AttrsOf } from "../catalog.ts";
import { fromInt4, int4Product } from "../composites/int4.ts";
import { fromInt4Inputs, int4InputsProduct } from "../composites/int4-inputs.ts";
import { type EinsumSpec, parseEinsum } from "../einsum-spec.ts";
import type { Graph } from "../graph.ts";
import { gather } from "../ops/gather-scatter.ts";
import { reshape } from "../ops/reshape.ts";
import { size, type Tensor } from "../tensor.ts";
import { rewrite } from "./rewrite.ts";

/** The operands of a `fromInt4` or a `fromInt4Inputs`. */
type Packed = readonly [words: Tensor, scale: Tensor, min: Tensor];

/**
 * Multiply with weights of 4 bits where those are unpacked to be multiplied, and unpack only the rows that are picked. This is no pass that leaves
 * numbers alone: an `int4Product` or `int4InputsProduct` rounds its other operand to 8 bits.
 */
export const int4Products = <I, O>(graph: Graph<I, O>): Graph<I, O> =>
  rewrite(graph as Graph, (node) => {
    if (node.op === "gather" && node.inputs[0]!.op === "fromInt4") return pickedRows(node);
    return node.op === "einsum" ? (product(node) ?? node) : node;
  }) as Graph<I, O>; // the trees of inputs and outputs stay what they are

/** The rows of a table of weights that a gather picks. */
function pickedRows({ inputs }: Tensor): Tensor {
  const [table, indices] = inputs as [Tensor, Tensor];
  const [words, scale, min] = (table.inputs as Packed).map((part) => gather(part, indices)) as unknown as Packed;
  return fromInt4(words, scale, min);
}

/** The product, where an operand is rows of weights, along which is summed, and all of the other operand's vectors meet all of them. */
function product(node: Tensor): Tensor | undefined {
  const spec = parseEinsum(node.attrs as AttrsOf<"einsum">); // by the op's definition
  const [left, right] = node.inputs as [Tensor, Tensor];
  return (
    withWeights(node, spec, { of: left, axes: spec.x }, { of: right, axes: spec.y }) ??
    withWeights(node, spec, { of: right, axes: spec.y }, { of: left, axes: spec.x })
  );
}

/** An operand of a product, and the names of its axes. */
interface Named {
  readonly of: Tensor;
  readonly axes: readonly string[];
}

function withWeights(node: Tensor, spec: EinsumSpec, x: Named, weights: Named): Tensor | undefined {
  const rows = inRows(weights);
  const [summed, ...more] = spec.summed;
  const byInput = rows.of.op === fromInt4Inputs.name;
  if (!(byInput || rows.of.op === fromInt4.name) || summed === undefined || more.length + spec.lonely.length > 0)
    return undefined;
  const extent = (axis: string) => x.of.shape[x.axes.indexOf(axis)];
  if (
    x.axes.at(-1) !== summed ||
    rows.axes.at(byInput ? 0 : -1) !== summed ||
    spec.batch.some((axis) => extent(axis) !== 1)
  )
    return undefined;
  const isOwn = (axis: string) => axis !== summed && !spec.batch.includes(axis);
  const order = [...x.axes, ...rows.axes].filter(isOwn);
  if (spec.out.filter(isOwn).some((axis, i) => axis !== order[i])) return undefined;
  const flat = (of: Tensor) => reshape(of, [size(of.shape) / of.shape.at(-1)!, of.shape.at(-1)!]);
  const packed = rows.of.inputs as Packed;
  if (byInput) return reshape(int4InputsProduct(flat(x.of), ...packed), node.shape);
  const [words, scale, min] = packed.map(flat) as unknown as Packed;
  return reshape(int4Product(flat(x.of), words, scale, min), node.shape);
}

/** The weights as they lie: a matrix that is stored by its columns is turned. */
function inRows({ of, axes }: Named): Named {
  if (of.op !== "transpose" || axes.length !== 2) return { of, axes };
  return { of: of.inputs[0]!, axes: axes.toReversed() };
}
