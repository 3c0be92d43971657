import { type EinsumSpec, einsumExtents, parseEinsum, type Shape, size, type Tensor } from "@finegrain/graph";
import { CONTRIB, type ModelBuilder } from "../model-builder.ts";

type Axes = readonly string[];
const equal = (a: Axes, b: Axes): boolean => a.length === b.length && a.every((axis, i) => axis === b[i]);

/** An operand with its axes by name; extents of one are left out, since they cost nothing to move. */
interface Operand {
  readonly value: string;
  readonly axes: Axes;
}

/** How an operand serves as a batched matrix: as it is, with its last two axes read the other way round, or moved. */
type Use = "plain" | "transposed" | "moved";
const useOf = (axes: Axes, batch: Axes, rows: Axes, columns: Axes): Use =>
  equal(axes, [...batch, ...rows, ...columns])
    ? "plain"
    : equal(axes, [...batch, ...columns, ...rows])
      ? "transposed"
      : "moved";

interface Plan {
  readonly left: Operand;
  readonly right: Operand;
  readonly rows: Axes;
  readonly columns: Axes;
  readonly summed: Axes;
  /** Elements that have to be moved, or half as many that are packed. */
  readonly cost: number;
}

/**
 * A contraction as one batched matrix product, with as few elements moved as possible: operands may change sides and the
 * summed axes their order; the products read either operand transposed at no cost.
 */
export function lowerEinsum(
  m: ModelBuilder,
  [xValue, yValue]: string[],
  text: string,
  out: Tensor,
  alpha: number,
): string {
  const [x, y] = out.inputs as [Tensor, Tensor];
  const full = parseEinsum(text);
  const extents = einsumExtents(text, full, x.shape, y.shape);
  if (size(x.shape) === 0 || size(y.shape) === 0) return m.fill(out, 0);
  const wide = (axes: Axes) => axes.filter((axis) => extents.get(axis) !== 1);
  const extent = (axes: Axes) => size(axes.map((axis) => extents.get(axis)!));
  const spec = {
    batch: wide(full.batch),
    rows: wide(full.rows),
    columns: wide(full.columns),
    summed: wide(full.summed),
  };
  const left = withoutLonely(m, { value: xValue!, axes: wide(full.x) }, full, extents);
  const right = withoutLonely(m, { value: yValue!, axes: wide(full.y) }, full, extents);
  const goal = wide(full.out);
  if (spec.summed.length === 0) return scaled(m, elementwiseProduct(m, left, right, goal, extents, out.shape), alpha);

  // A tensor's length squared: a product with one row and one column would read it on one thread.
  if (xValue === yValue && equal(spec.summed, left.axes) && equal(left.axes, right.axes))
    return scaled(m, m.node("ReduceSumSquare", [xValue!], { keepdims: 0 }), alpha);

  const plan = cheapest(spec, left, right, goal, extent);
  const product = multiply(m, plan, spec.batch, extent, alpha);
  const natural = [...spec.batch, ...plan.rows, ...plan.columns];
  return m.reshape(moved(m, product, natural, goal, extents), out.shape);
}

const scaled = (m: ModelBuilder, value: string, alpha: number): string =>
  alpha === 1 ? value : m.node("Mul", [value, m.constant("float32", [], [alpha])]);

/**
 * A vector or a vector's product times a factor, in a node of its own: with a factor in it, a vector's product packs its
 * matrix as one of many rows does, and takes twice as long. The factor is a constant of `last` equal numbers, since ONNX
 * Runtime would move a single number into the product.
 */
export const scaledApart = (m: ModelBuilder, value: string, last: number, alpha: number): string =>
  alpha === 1 ? value : m.node("Mul", [value, m.constant("float32", [last], new Array(last).fill(alpha))]);

/** Sum over the axes that only this operand has, and that the result does not have. */
function withoutLonely(
  m: ModelBuilder,
  { value, axes }: Operand,
  { lonely }: EinsumSpec,
  extents: ReadonlyMap<string, number>,
): Operand {
  const gone = axes.flatMap((axis, i) => (lonely.includes(axis) ? [i] : []));
  if (gone.length === 0) return { value, axes };
  const shaped = m.reshape(
    value,
    axes.map((axis) => extents.get(axis)!),
  );
  return {
    value: m.node("ReduceSum", [shaped, m.ints(...gone)], { keepdims: 0 }),
    axes: axes.filter((axis) => !lonely.includes(axis)),
  };
}

/**
 * A right operand that is read transposed is packed first, which a few rows do not make up for: measured, it is faster on the
 * left up to 32 rows, where the result is what has to be moved. A single row reads it in place.
 */
const isPacked = (rows: number, elements: number): boolean => rows > 1 && rows <= 32 && elements >= 2 ** 18;

function cheapest(
  spec: Pick<EinsumSpec, "batch" | "rows" | "columns" | "summed">,
  x: Operand,
  y: Operand,
  goal: Axes,
  extent: (axes: Axes) => number,
): Plan {
  const { batch } = spec;
  const orders = [x, y].map(({ axes }) => axes.filter((axis) => spec.summed.includes(axis)));
  const plans = [false, true].flatMap((swap) =>
    orders.map((summed): Plan => {
      const [left, right] = swap ? [y, x] : [x, y];
      const [rows, columns] = swap ? [spec.columns, spec.rows] : [spec.rows, spec.columns];
      const moves = [
        useOf(left.axes, batch, rows, summed) === "moved" ? extent(left.axes) : 0,
        useOf(right.axes, batch, summed, columns) === "moved" ? extent(right.axes) : 0,
        equal(goal, [...batch, ...rows, ...columns]) ? 0 : extent(goal),
        isPacked(extent(rows), extent(columns) * extent(summed)) &&
        useOf(right.axes, batch, summed, columns) === "transposed"
          ? extent(right.axes) / 2
          : 0,
      ];
      return { left, right, rows, columns, summed, cost: moves.reduce((a, b) => a + b) };
    }),
  );
  return plans.reduce((best, plan) => (plan.cost < best.cost ? plan : best));
}

function multiply(m: ModelBuilder, plan: Plan, batch: Axes, extent: (axes: Axes) => number, alpha: number): string {
  const matrix = ({ value, axes }: Operand, rows: Axes, columns: Axes): { value: string; flip: boolean } => {
    const use = useOf(axes, batch, rows, columns);
    const lead = batch.length === 0 ? [] : [extent(batch)];
    if (use === "transposed") return { value: m.reshape(value, [...lead, extent(columns), extent(rows)]), flip: true };
    const straight =
      use === "plain"
        ? value
        : moved(
            m,
            value,
            axes,
            [...batch, ...rows, ...columns],
            new Map([...axes].map((axis) => [axis, extent([axis])])),
          );
    // A matrix that is multiplied by a single other may have any leading axes: no reshape before, and none behind.
    const own = m.shapeOf(straight);
    const fits = batch.length === 0 && rows === plan.rows && own !== undefined && own.at(-1) === extent(columns);
    return { value: fits ? straight : m.reshape(straight, [...lead, extent(rows), extent(columns)]), flip: false };
  };
  const a = matrix(plan.left, plan.rows, plan.summed);
  const b = matrix(plan.right, plan.summed, plan.columns);
  const isVector = extent(plan.rows) === 1 || extent(plan.columns) === 1;
  const inner = isVector ? 1 : alpha;
  const flags = { transA: a.flip ? 1 : 0, transB: b.flip ? 1 : 0, alpha: { float: inner } };
  const unscaled =
    !a.flip && !b.flip && inner === 1
      ? m.node("MatMul", [a.value, b.value])
      : m.node("FusedMatMul", [a.value, b.value], flags, CONTRIB);
  const product = isVector ? scaledApart(m, unscaled, extent(plan.columns), alpha) : unscaled;
  const lead = a.flip ? [extent(plan.rows)] : m.shapeOf(a.value)!.slice(0, -1);
  return m.shaped(product, [...(batch.length > 0 && a.flip ? [extent(batch)] : []), ...lead, extent(plan.columns)]);
}

/** Axes in another order. */
function moved(m: ModelBuilder, value: string, from: Axes, to: Axes, extents: ReadonlyMap<string, number>): string {
  if (equal(from, to)) return value;
  const shaped = m.reshape(
    value,
    from.map((axis) => extents.get(axis)!),
  );
  const result = m.node("Transpose", [shaped], { perm: to.map((axis) => from.indexOf(axis)) });
  return m.shaped(
    result,
    to.map((axis) => extents.get(axis)!),
  );
}

/** No axis is summed: both operands in the result's order, stretched against each other. */
function elementwiseProduct(
  m: ModelBuilder,
  x: Operand,
  y: Operand,
  goal: Axes,
  extents: ReadonlyMap<string, number>,
  shape: Shape,
): string {
  const placed = ({ value, axes }: Operand): string => {
    const ordered = moved(
      m,
      value,
      axes,
      goal.filter((axis) => axes.includes(axis)),
      extents,
    );
    return m.reshape(
      ordered,
      goal.map((axis) => (axes.includes(axis) ? extents.get(axis)! : 1)),
    );
  };
  return m.reshape(m.node("Mul", [placed(x), placed(y)]), shape);
}
