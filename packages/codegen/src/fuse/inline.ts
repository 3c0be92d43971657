import type { AttrsOf, CompositeName, OpName, PrimitiveName, Shape, Tensor } from "@finegrain/graph";
import { strides } from "@finegrain/graph";
import type { ProgramBuffer } from "../ir/buffer.ts";
import { call, type Expression, literal, type ScalarOp, scalarOps } from "../ir/expression.ts";
import { addIndex, constantIndex, divide, type Index, isConstant, scaleIndex, shiftIndex } from "../ir/index-form.ts";

/** A tensor that has to be in a buffer before a kernel can read it in the order that it wants. */
export class NeedsBuffer extends Error {
  readonly tensor: Tensor;

  constructor(tensor: Tensor) {
    super(`${tensor.op} has to be in a buffer`);
    this.tensor = tensor;
  }
}

/** The kernel that an expression is for. */
export interface Surroundings {
  /** Of all its loops. */
  readonly extents: readonly number[];
  /** The tensor that its reduction computes. */
  readonly reduced?: Tensor | undefined;
  bufferOf(tensor: Tensor): ProgramBuffer | undefined;
}

/** Composites that are written as they are, since they say more than their decompositions. */
export const lowersWhole: ReadonlySet<CompositeName> = new Set(["sequenceMask"]);

/** Those that are kernels of their own, for who has them. */
export const int4Ops: ReadonlySet<CompositeName> = new Set(["fromInt4", "int4Product", "int4InputsProduct"]);

const elementwise = new Set<string>([...scalarOps, ...lowersWhole]);
export const isElementwise = (tensor: Tensor): boolean => elementwise.has(tensor.op);

/** Attributes of a node that is known to be of an op. */
export const attrsOf = <K extends OpName>(_op: K, node: Tensor): AttrsOf<K> => node.attrs as AttrsOf<K>; // by its op's definition

/** The flat place of an element of a row-major value. */
export const flatIndex = (shape: Shape, at: readonly Index[], loops: number): Index =>
  strides(shape).reduce((sum, stride, axis) => addIndex(sum, scaleIndex(at[axis]!, stride)), constantIndex(0, loops));

/**
 * The place along every axis of an element of a row-major value, from its flat one; undefined where it is not affine.
 * @param extents of the loops.
 * @throws SplitLoop where it would be if a loop were two.
 */
export function unflatten(shape: Shape, flat: Index, extents: readonly number[]): Index[] | undefined {
  let rest = flat;
  const places: Index[] = [];
  for (let axis = shape.length - 1; axis > 0; axis--) {
    const parts = divide(rest, shape[axis]!, extents);
    if (parts === undefined) return undefined;
    places.unshift(parts[1]);
    rest = parts[0];
  }
  if (shape.length > 0) places.unshift(rest);
  return places;
}

type View = (node: Tensor, at: readonly Index[], inliner: Inliner) => Expression;

/** Ops that only say where an element is. */
const views: Readonly<Partial<Record<PrimitiveName, View>>> = {
  barrier: (node, at, inliner) => inliner.element(node.inputs[0]!, at),
  stopGradient: (node, at, inliner) => inliner.element(node.inputs[0]!, at),
  reshape(node, at, inliner) {
    const x = node.inputs[0]!;
    const places = unflatten(x.shape, flatIndex(node.shape, at, inliner.loops), inliner.extents);
    if (places === undefined) throw new NeedsBuffer(x);
    return inliner.element(x, places);
  },
  transpose(node, at, inliner) {
    const order = attrsOf("transpose", node);
    const places = new Array<Index>(order.length);
    order.forEach((axis, i) => {
      places[axis] = at[i]!;
    });
    return inliner.element(node.inputs[0]!, places);
  },
  broadcastTo: (node, at, inliner) => inliner.stretched(node.inputs[0]!, at),
  slice: (node, at, inliner) =>
    inliner.element(
      node.inputs[0]!,
      at.map((index, axis) => shiftIndex(index, attrsOf("slice", node).starts[axis]!)),
    ),
  gather(node, at, inliner) {
    const [table, indices] = node.inputs as [Tensor, Tensor];
    const rank = indices.shape.length;
    const row = inliner.computed(indices, at.slice(0, rank), table.shape[0]!);
    return inliner.element(table, [row, ...at.slice(rank)]);
  },
  dynamicSlice(node, at, inliner) {
    const [x, start] = node.inputs as [Tensor, Tensor];
    const { axis, length } = attrsOf("dynamicSlice", node);
    const from = inliner.computed(start, [], x.shape[axis]! - length + 1);
    return inliner.element(x, at.with(axis, addIndex(at[axis]!, from)));
  },
};

export const isView = (tensor: Tensor): boolean => tensor.op in views;

/** An index as a value. */
const numberOf = (at: Index): Expression =>
  isConstant(at) ? literal(at.offset, "int32") : { kind: "place", dtype: "int32", at };

/** Writes a tensor's element as an expression of the buffers behind it. */
export class Inliner {
  readonly #surroundings: Surroundings;
  readonly #known = new Map<Tensor, Map<string, Expression>>();
  readonly #names = new Map<Expression, number>();

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
  }

  get extents(): readonly number[] {
    return this.#surroundings.extents;
  }

  get loops(): number {
    return this.extents.length;
  }

  /**
   * The element of `tensor` at a place of its own axes.
   * @throws NeedsBuffer, SplitLoop where it cannot be written over the kernel's loops as they are.
   */
  element(tensor: Tensor, at: readonly Index[]): Expression {
    const places = this.#known.get(tensor) ?? new Map<string, Expression>();
    this.#known.set(tensor, places);
    const key = JSON.stringify(at, (_, value) => (this.#isExpression(value) ? this.#name(value) : value));
    const known = places.get(key);
    if (known) return known;
    const expression = this.#write(tensor, at);
    places.set(key, expression);
    return expression;
  }

  /** An operand that is stretched to the axes of `at`. */
  stretched(tensor: Tensor, at: readonly Index[]): Expression {
    const own = at.slice(at.length - tensor.shape.length);
    return this.element(
      tensor,
      own.map((index, axis) => (tensor.shape[axis] === 1 ? constantIndex(0, this.loops) : index)),
    );
  }

  /** An index that is the value of an int32 tensor, in [0, extent). */
  computed(tensor: Tensor, at: readonly Index[], extent: number): Index {
    const value = this.element(tensor, at);
    if (value.kind === "literal") return constantIndex(value.value, this.loops);
    if (value.kind === "place") return value.at;
    return { ...constantIndex(0, this.loops), dynamic: [{ value, stride: 1, extent }] };
  }

  #write(tensor: Tensor, at: readonly Index[]): Expression {
    const { reduced, bufferOf } = this.#surroundings;
    if (tensor === reduced) return { kind: "reduced", dtype: tensor.dtype };
    if (tensor.op === "constant" && tensor.shape.length === 0)
      return literal(attrsOf("constant", tensor).data[0]!, tensor.dtype);
    const from = bufferOf(tensor);
    if (from) return { kind: "load", dtype: tensor.dtype, from, at: flatIndex(tensor.shape, at, this.loops) };
    if (tensor.op === "iota") return numberOf(at[attrsOf("iota", tensor).axis]!);
    if (tensor.op === "sequenceMask") return this.#masked(tensor, at);
    if (isElementwise(tensor)) {
      const args = tensor.inputs.map((x) => this.stretched(x, at));
      if (tensor.op === "shiftRight") args.push(literal(attrsOf("shiftRight", tensor).bits, "int32"));
      return call(tensor.op as ScalarOp, tensor.dtype, ...args);
    }
    const view = views[tensor.op as PrimitiveName];
    if (!view) throw new NeedsBuffer(tensor);
    return view(tensor, at, this);
  }

  #masked(mask: Tensor, at: readonly Index[]): Expression {
    const [x, lengths] = mask.inputs as [Tensor, Tensor];
    const isBefore = call("less", "bool", numberOf(at.at(-1)!), this.stretched(lengths, at.slice(0, -1)));
    const value = literal(attrsOf("sequenceMask", mask).value, mask.dtype);
    return call("select", mask.dtype, isBefore, this.element(x, at), value);
  }

  #isExpression(value: unknown): value is Expression {
    return typeof value === "object" && value !== null && "kind" in value;
  }

  #name(expression: Expression): string {
    if (!this.#names.has(expression)) this.#names.set(expression, this.#names.size);
    return `e${this.#names.get(expression)}`;
  }
}
