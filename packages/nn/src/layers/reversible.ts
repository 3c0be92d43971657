import { FinegrainError, reshape, reversible, streamOf, type Tensor, transpose } from "@finegrain/graph";
import type { Context } from "../context.ts";
import type { Layer, Params, Weights } from "../layer.ts";
import { pure } from "./pure.ts";

/** Two streams of vectors, float32 [batch, time, dModel]. */
export type Streams = readonly [Tensor, Tensor];

/** Residual branches that two streams go through. */
export interface ReversibleSerial {
  /** Of each branch, by number: "0", "1", ... */
  readonly params: Readonly<Record<string, Params>>;
  apply(w: Readonly<Record<string, Weights<Params>>>, streams: Streams, context: Context): Streams;
}

/**
 * Branches in turns over two streams: (x1, x2) becomes (x2, x1 + f(x2)) for each branch f. In the backward pass the inputs of a branch
 * are computed from its outputs, so that a training step keeps nothing of what is between. Gomez et al. 2017; Kitaev et al. 2020,
 * "Reformer", section 3; Trax `ReversibleSerial` of half residuals, each followed by a swap.
 */
export function reversibleSerial(branches: readonly Layer[]): ReversibleSerial {
  return {
    params: Object.fromEntries(branches.map((branch, i) => [`${i}`, branch.params])),
    /** @throws FinegrainError where a branch has a loss of its own, which nothing outside of it would see. */
    apply(w, [x1, x2], context) {
      const operands: Tensor[] = [];
      const halves = branches.map((branch, i) => {
        const { operands: own, at } = pure(branch, w[`${i}`]!, x2, context);
        const first = operands.length;
        operands.push(...own);
        return (x: Tensor, given: readonly Tensor[]): Tensor => at(x, given.slice(first, first + own.length));
      });
      const both = reversible(x1, x2, ...operands, { halves });
      return [streamOf(both, 0), streamOf(both, 1)];
    },
  };
}

/**
 * The features in another order, by turning them as a matrix [rows, columns]: fast, and always the same. Of 2ⁿ features, n turns bring
 * them back into their order. Trax `ReversibleReshapePermute`.
 *
 * @throws FinegrainError where the features are no power of two.
 */
export function permuteFeatures(x: Tensor): Tensor {
  const features = x.shape.at(-1)!;
  const power = Math.log2(features);
  if (!Number.isInteger(power))
    throw new FinegrainError(`features are turned where they are a power of two, not ${features}`);
  const columns = 2 ** turnOf(power);
  const rank = x.shape.length;
  const cut = reshape(x, [...x.shape.slice(0, -1), features / columns, columns]);
  const order = [...Array.from({ length: rank - 1 }, (_, axis) => axis), rank, rank - 1];
  return reshape(transpose(cut, order), x.shape);
}

/** The largest number up to half of n that does not divide it: the turn by it takes longest to come back. */
function turnOf(power: number): number {
  for (let i = Math.floor(power / 2); i > 0; i--) if (power % i !== 0) return i;
  return 1;
}
