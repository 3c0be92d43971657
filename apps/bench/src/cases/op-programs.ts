import { cachedAttention, causalAttention, einsum, gather, input, softmax, type Tensor } from "@finegrain/graph";

/** An operation to be measured: what it computes, and what that takes at the least. */
export interface OpProgram {
  readonly output: Tensor;
  /** Floating-point operations, a multiply-add counted as two. */
  readonly flops: number;
  /** Bytes that have to be read and written once, all in float32 or int32. */
  readonly bytes: number;
  /** What its int32 input holds, where it has one. */
  readonly integers?: readonly number[];
}

/** Names of an operation's extents, and how it is made from them. */
interface OpRule<E extends string> {
  readonly extents: readonly E[];
  build(shape: Readonly<Record<E, number>>): OpProgram;
}
const rule = <E extends string>(extents: readonly E[], build: OpRule<E>["build"]): OpRule<E> => ({ extents, build });

const FLOAT = 4;
/** Operations an element: the maximum, its subtraction, the exponential, the sum and the quotient, one each. */
const SOFTMAX_FLOPS = 5;

/** A prime: rows that are taken lie far from each other. */
const SCATTER = 7919;

/** What the suite `ops` can name. Extents as in the names of the axes. */
const RULES = {
  "matrix product": rule(["rows", "depth", "columns"], ({ rows, depth, columns }) => ({
    output: einsum(input([rows, depth]), input([depth, columns]), "R D, D C -> R C"),
    flops: 2 * rows * depth * columns,
    bytes: FLOAT * (rows * depth + depth * columns + rows * columns),
  })),
  /** GEMV: what a dense layer is to one token. */
  "matrix-vector product": rule(["depth", "columns"], ({ depth, columns }) => ({
    output: einsum(input([1, depth]), input([depth, columns]), "R D, D C -> R C"),
    flops: 2 * depth * columns,
    bytes: FLOAT * (depth + depth * columns + columns),
  })),
  /** Rows of a table by their indices: what a sparse layer is to one token. */
  gather: rule(["rows", "width", "taken"], ({ rows, width, taken }) => ({
    output: gather(input([rows, width]), input([taken], "int32", "indices")),
    flops: 0,
    bytes: FLOAT * (taken + 2 * taken * width),
    integers: Array.from({ length: taken }, (_, i) => (i * SCATTER) % rows),
  })),
  softmax: rule(["rows", "width"], ({ rows, width }) => ({
    output: softmax(input([rows, width])),
    flops: SOFTMAX_FLOPS * rows * width,
    bytes: FLOAT * 2 * rows * width,
  })),
  /** Attention as in training: every token over those before it. */
  attention: rule(["heads", "length", "width"], ({ heads, length, width }) => {
    const shape = [1, heads, length, width];
    return {
      output: causalAttention(input(shape), input(shape), input(shape), { scale: width ** -0.5 }),
      flops: 4 * heads * length * length * width,
      bytes: FLOAT * 4 * heads * length * width,
    };
  }),
  /** Attention as in decode: one token over a cache. */
  "cached attention": rule(["heads", "cached", "width"], ({ heads, cached, width }) => {
    const cache = [1, heads, cached, width];
    const q = input([1, heads, 1, width]);
    return {
      output: cachedAttention(q, input(cache), input(cache), input([], "int32", "position"), { scale: width ** -0.5 }),
      flops: 4 * heads * cached * width,
      bytes: FLOAT * (2 * heads * cached * width + 2 * heads * width),
      integers: [cached - 1],
    };
  }),
} as const;

export type OpKind = keyof typeof RULES;
export const OP_KINDS = Object.keys(RULES) as readonly OpKind[]; // the keys of a literal
export const isOpKind = (value: unknown): value is OpKind => OP_KINDS.some((kind) => kind === value);

/** The extents that an operation has to be given. */
export const opExtents = (kind: OpKind): readonly string[] => RULES[kind].extents;

/** @param shape has the extents of `opExtents`, which a suite's parser made sure of. */
export function opProgram(kind: OpKind, shape: Readonly<Record<string, number>>): OpProgram {
  const { build }: OpRule<string> = RULES[kind];
  return build(shape);
}
