import type { CaseInput, Draw } from "./cases.ts";
import type { Cost } from "./cost.ts";
import { ShapeError } from "./errors.ts";
import type { DType, HostTensor, Tensor, TensorType } from "./tensor.ts";
import { isTensor, typeName } from "./tensor.ts";

type Each<I extends readonly unknown[], T> = { readonly [K in keyof I]: T };
type Args<I extends readonly unknown[], A> = [A] extends [void] ? I : readonly [...I, A];

/** A tensor, or a number that stands for a scalar of the dtype of the last tensor operand. */
export type Operand = Tensor | number;
/** A call of an op with types in place of tensors: what the tests are drawn from. */
export type Call<I extends readonly unknown[], A> = Args<Each<I, CaseInput>, A>;

interface Definition<I extends readonly Tensor[], A> {
  readonly name: string;
  /** Type of the result; throws a ShapeError that names the op and what does not fit. */
  infer(inputs: Each<I, TensorType>, attrs: A): TensorType;
  /** Calls on which every backend must agree with the reference. */
  readonly cases: readonly Call<I, A>[];
  /** A call of drawn shapes, empty and size-one axes included. */
  sample(draw: Draw): Call<I, A>;
  /** Arithmetic and traffic of one evaluation. Default: an operation an element, inputs read and output written once. */
  cost?(inputs: Each<I, TensorType>, attrs: A, out: TensorType): Cost;
}

/** Cotangents of `wrt`, given the cotangent `ct` of `y`. */
export type Pullback = (y: Tensor, ct: Tensor, wrt: readonly Tensor[]) => Tensor[];

/**
 * Cotangents of the inputs as more graph; null for an input without one. `pullback` is for an op whose attributes are themselves
 * a graph to differentiate.
 */
export type Vjp<I extends readonly Tensor[], A> = (
  ct: Tensor,
  inputs: I,
  attrs: A,
  out: Tensor,
  pullback: Pullback,
) => Each<I, Tensor | null>;

/** An operation that every backend lowers. */
export interface Primitive<I extends readonly Tensor[], A> extends Definition<I, A> {
  /** Meaning, in float64. */
  evaluate(inputs: Each<I, HostTensor>, attrs: A, out: TensorType): ArrayLike<number>;
  /** null where the op is not differentiable. */
  readonly vjp: Vjp<I, A> | null;
}

/** An operation that is a graph of others, and that a backend may lower whole where it has something better. */
export interface Composite<I extends readonly Tensor[], A> extends Definition<I, A> {
  /** Meaning: the same function of the same inputs, in other ops. */
  decompose(inputs: I, attrs: A): Tensor;
  /** Left out: the gradient goes through the decomposition. */
  readonly vjp?: Vjp<I, A> | null;
}

type Definitions<I extends readonly Tensor[], A> = Primitive<I, A> | Composite<I, A>;
type Build<I extends readonly Tensor[], A> = (...args: Args<Each<I, Operand>, A>) => Tensor;

/** An op is the function that appends it to a graph, and carries its own definition. */
export type Op<I extends readonly Tensor[], A = void> = Build<I, A> & Primitive<I, A>;
export type CompositeOp<I extends readonly Tensor[], A = void> = Build<I, A> & Composite<I, A>;

/** A call of any op: operands, then attributes where the op has some. */
export type AnyCall = readonly (CaseInput | unknown)[];

/** What ops of every signature have in common, as the catalog holds them side by side. */
interface Erased {
  (...args: readonly unknown[]): Tensor;
  readonly name: string;
  infer(inputs: readonly TensorType[], attrs: unknown): TensorType;
  readonly cases: readonly AnyCall[];
  sample(draw: Draw): AnyCall;
  cost?(inputs: readonly TensorType[], attrs: unknown, out: TensorType): Cost;
}
type ErasedVjp = (
  ct: Tensor,
  inputs: readonly Tensor[],
  attrs: unknown,
  out: Tensor,
  pullback: Pullback,
) => readonly (Tensor | null)[];
export interface AnyPrimitive extends Erased {
  evaluate(inputs: readonly HostTensor[], attrs: unknown, out: TensorType): ArrayLike<number>;
  readonly vjp: ErasedVjp | null;
}
export interface AnyComposite extends Erased {
  decompose(inputs: readonly Tensor[], attrs: unknown): Tensor;
  readonly vjp?: ErasedVjp | null;
}
export type AnyOp = AnyPrimitive | AnyComposite;

export const definePrimitive = <I extends readonly Tensor[], A = void>(
  definition: Primitive<NoInfer<I>, NoInfer<A>>,
): Op<I, A> => define<I, A>(definition) as Op<I, A>;

export const defineComposite = <I extends readonly Tensor[], A = void>(
  definition: Composite<NoInfer<I>, NoInfer<A>>,
): CompositeOp<I, A> => define<I, A>(definition) as CompositeOp<I, A>;

function define<I extends readonly Tensor[], A>(definition: Definitions<I, A>): Build<I, A> & Definitions<I, A> {
  const build = (...args: readonly unknown[]): Tensor => {
    const [operands, attrs] = splitCall(args);
    const dtype = (operands as Operand[]).findLast(isTensor)?.dtype ?? "float32";
    const inputs = (operands as Operand[]).map((x) => (isTensor(x) ? x : scalar(x, dtype)));
    // The argument list is I followed by A: the type of `Build` says so, the compiler cannot follow the split.
    return { ...definition.infer(inputs as never, attrs as A), op: definition.name, inputs, attrs };
  };
  return Object.defineProperties(build, Object.getOwnPropertyDescriptors(definition)) as unknown as Build<I, A> &
    Definitions<I, A>;
}

/** @throws ShapeError where `x` is of none of these dtypes. */
export function expectDtype(op: string, x: TensorType, ...allowed: readonly DType[]): void {
  if (!allowed.includes(x.dtype)) throw new ShapeError(`${op} takes ${allowed.join(" or ")}, not ${typeName(x)}`);
}

/** A rank-0 constant. */
export const scalar = (value: number, dtype: DType = "float32"): Tensor => ({
  op: "constant",
  inputs: [],
  attrs: { dtype, shape: [], data: [value] },
  dtype,
  shape: [],
});

const isOperand = (x: unknown): boolean =>
  typeof x === "number" || (typeof x === "object" && x !== null && "dtype" in x && !("data" in x));

/** A call's trailing argument is its attributes unless it is itself an operand (a tensor, its type, or a number). */
export function splitCall(args: readonly unknown[]): [operands: readonly unknown[], attrs: unknown] {
  return args.length === 0 || isOperand(args.at(-1)) ? [args, undefined] : [args.slice(0, -1), args.at(-1)];
}
