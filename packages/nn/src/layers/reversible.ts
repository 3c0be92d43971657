import {
  barrier,
  FinegrainError,
  reshape,
  reversible,
  streamOf,
  type Tensor,
  transpose,
  uniform,
} from "@finegrain/graph";
import type { Context, Ledger, RandomSource } from "../context.ts";
import { type Layer, leaves, mapParams, type Params, type Weights } from "../layer.ts";

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
        const first = operands.length;
        operands.push(...leaves<Tensor>(w[`${i}`]!).map(([, weight]) => weight));
        const draws = drawsOf(branch, w[`${i}`]!, x2, context);
        const drawn = operands.length;
        operands.push(...draws);
        return (x: Tensor, given: readonly Tensor[]): Tensor => {
          let next = first;
          const own = mapParams(branch.params, () => given[next++]!) as Weights<Params>;
          const random = replay(x, given.slice(drawn, drawn + draws.length));
          const { ledger: _, ...rest } = context;
          return branch.apply(own, x, { ...rest, random });
        };
      });
      const both = reversible(x1, x2, ...operands, { halves });
      return [streamOf(both, 0), streamOf(both, 1)];
    },
  };
}

/** What a branch draws, found by letting it build its graph once. */
function drawsOf(branch: Layer, w: Weights<Params>, x: Tensor, context: Context): Tensor[] {
  const draws: Tensor[] = [];
  const random: RandomSource = {
    uniform(shape) {
      const draw = context.random.uniform(shape);
      draws.push(draw);
      return draw;
    },
  };
  branch.apply(w, x, { ...context, random, ledger: noLosses });
  return draws;
}

const noLosses: Ledger = {
  loss(name) {
    throw new FinegrainError(`a layer with a loss of its own, ${name}, cannot be in a reversible block`);
  },
  metric() {},
};

/** The same draws again. Behind a barrier, which is how the backward pass asks, they are drawn anew from their counter, and not kept. */
function replay(x: Tensor, draws: readonly Tensor[]): RandomSource {
  let next = 0;
  return {
    uniform() {
      const draw = draws[next++]!;
      if (x.op !== "barrier" || draw.op !== "uniform") return draw;
      const [key, counter] = draw.inputs as [Tensor, Tensor];
      return uniform(barrier(key, x), counter, { shape: draw.shape });
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
