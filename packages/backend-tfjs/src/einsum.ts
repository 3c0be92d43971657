import { type EinsumSpec, einsumExtents, parseEinsum, type Shape, size, type Tensor } from "@finegrain/graph";
import type { Value } from "./program-builder.ts";

/** What an einsum is made of on an engine. All of these take and give settled shapes. */
export interface MatrixOperations {
  reshape(x: Value, shape: Shape): Value;
  transpose(x: Value, order: readonly number[]): Value;
  /** Over some axes, which go. */
  sum(x: Value, axes: readonly number[]): Value;
  mul(x: Value, y: Value, shape: Shape): Value;
  zeros(shape: Shape): Value;
  /** Whether a product reads an operand flipped at no cost. Otherwise none is given flipped. */
  readonly flipsFree: boolean;
  /** [batch..., m, k] by [batch..., k, n]; a flipped operand has its last two axes the other way round. */
  matMul(x: Value, y: Value, flipX: boolean, flipY: boolean): Value;
}

type Axes = readonly string[];
const equal = (a: Axes, b: Axes): boolean => a.length === b.length && a.every((axis, i) => axis === b[i]);

/** An operand with its axes by name. Extents of one are left out: they cost nothing to move. */
interface Operand {
  readonly value: Value;
  readonly axes: Axes;
}

interface Plan {
  readonly left: Operand;
  readonly right: Operand;
  readonly rows: Axes;
  readonly columns: Axes;
  readonly summed: Axes;
  /** Elements that have to be moved. */
  readonly cost: number;
}

/**
 * A contraction as one batched matrix product, with as few elements moved as possible: operands may change sides and the
 * summed axes their order, since a product reads either operand flipped at no cost.
 */
export function lowerEinsum(m: MatrixOperations, [xValue, yValue]: readonly Value[], text: string, out: Tensor): Value {
  const [x, y] = out.inputs as [Tensor, Tensor]; // an einsum's operands
  const full = parseEinsum(text);
  const extents = einsumExtents(text, full, x.shape, y.shape);
  if (size(x.shape) === 0 || size(y.shape) === 0) return m.zeros(out.shape);
  return new Contraction(m, full, extents).lower(xValue!, yValue!, out.shape);
}

class Contraction {
  readonly #m: MatrixOperations;
  readonly #full: EinsumSpec;
  readonly #extents: ReadonlyMap<string, number>;
  readonly #batch: Axes;

  constructor(m: MatrixOperations, full: EinsumSpec, extents: ReadonlyMap<string, number>) {
    this.#m = m;
    this.#full = full;
    this.#extents = extents;
    this.#batch = this.#wide(full.batch);
  }

  lower(x: Value, y: Value, shape: Shape): Value {
    const left = this.#withoutLonely({ value: x, axes: this.#wide(this.#full.x) });
    const right = this.#withoutLonely({ value: y, axes: this.#wide(this.#full.y) });
    const goal = this.#wide(this.#full.out);
    if (this.#wide(this.#full.summed).length === 0) return this.#elementwise(left, right, goal, shape);
    const plan = this.#cheapest(left, right, goal);
    const natural = [...this.#batch, ...plan.rows, ...plan.columns];
    const product = { value: this.#multiply(plan), axes: natural };
    return this.#m.reshape(equal(natural, goal) ? product.value : this.#moved(product, goal), shape);
  }

  #wide(axes: Axes): Axes {
    return axes.filter((axis) => this.#extents.get(axis) !== 1);
  }

  #shape(axes: Axes): number[] {
    return axes.map((axis) => this.#extents.get(axis)!);
  }

  #extent(axes: Axes): number {
    return size(this.#shape(axes));
  }

  /** Sum over the axes that only this operand has, and that the result does not have. */
  #withoutLonely({ value, axes }: Operand): Operand {
    const gone = axes.flatMap((axis, i) => (this.#full.lonely.includes(axis) ? [i] : []));
    if (gone.length === 0) return { value, axes };
    const shaped = this.#m.reshape(value, this.#shape(axes));
    return { value: this.#m.sum(shaped, gone), axes: axes.filter((_, i) => !gone.includes(i)) };
  }

  #moved({ value, axes }: Operand, to: Axes): Value {
    const shaped = this.#m.reshape(value, this.#shape(axes));
    return equal(axes, to)
      ? shaped
      : this.#m.transpose(
          shaped,
          to.map((axis) => axes.indexOf(axis)),
        );
  }

  #cheapest(x: Operand, y: Operand, goal: Axes): Plan {
    const [xOnly, yOnly] = [this.#wide(this.#full.rows), this.#wide(this.#full.columns)];
    const orders = [x, y].map(({ axes }) => axes.filter((axis) => this.#full.summed.includes(axis)));
    const plans = [false, true].flatMap((swap) =>
      orders.map((summed): Plan => {
        const [left, right] = swap ? [y, x] : [x, y];
        const [rows, columns] = swap ? [yOnly, xOnly] : [xOnly, yOnly];
        const moves = [
          this.#use(left.axes, rows, summed) === "moved" ? this.#extent(left.axes) : 0,
          this.#use(right.axes, summed, columns) === "moved" ? this.#extent(right.axes) : 0,
          equal(goal, [...this.#batch, ...rows, ...columns]) ? 0 : this.#extent(goal),
        ];
        return { left, right, rows, columns, summed, cost: moves.reduce((a, b) => a + b) };
      }),
    );
    return plans.reduce((best, plan) => (plan.cost < best.cost ? plan : best));
  }

  /** How an operand serves as a matrix: as it is, read the other way round, or moved. */
  #use(axes: Axes, rows: Axes, columns: Axes): "plain" | "flipped" | "moved" {
    if (equal(axes, [...this.#batch, ...rows, ...columns])) return "plain";
    return this.#m.flipsFree && equal(axes, [...this.#batch, ...columns, ...rows]) ? "flipped" : "moved";
  }

  #multiply({ left, right, rows, columns, summed }: Plan): Value {
    const a = this.#matrix(left, rows, summed);
    const b = this.#matrix(right, summed, columns);
    return this.#m.matMul(a.value, b.value, a.flip, b.flip);
  }

  #matrix(operand: Operand, rows: Axes, columns: Axes): { value: Value; flip: boolean } {
    const flip = this.#use(operand.axes, rows, columns) === "flipped";
    const [first, second] = flip ? [columns, rows] : [rows, columns];
    const value = flip ? operand.value : this.#moved(operand, [...this.#batch, ...rows, ...columns]);
    return {
      value: this.#m.reshape(value, [...this.#shape(this.#batch), this.#extent(first), this.#extent(second)]),
      flip,
    };
  }

  /** No axis is summed: both operands in the result's order, stretched against each other. */
  #elementwise(x: Operand, y: Operand, goal: Axes, shape: Shape): Value {
    const placed = (operand: Operand): Value => {
      const ordered = this.#moved(
        operand,
        goal.filter((axis) => operand.axes.includes(axis)),
      );
      return this.#m.reshape(
        ordered,
        goal.map((axis) => (operand.axes.includes(axis) ? this.#extents.get(axis)! : 1)),
      );
    };
    return this.#m.reshape(this.#m.mul(placed(x), placed(y), this.#shape(goal)), shape);
  }
}
