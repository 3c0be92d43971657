import { barrier, FinegrainError, type Tensor, uniform } from "@finegrain/graph";
import type { Context, Ledger, RandomSource } from "../context.ts";
import { type Layer, leaves, mapParams, type Params, type Weights } from "../layer.ts";

/** A layer as a pure function of its input and of everything else that it reads, as a computation that is done anew needs it. */
export interface PureLayer {
  /** Its weights, and what it draws. */
  readonly operands: readonly Tensor[];
  /**
   * Its output for another input of the same shape, by operands that stand for its own. Behind a barrier, which is how a backward pass
   * asks, what it draws is drawn anew from its counter, and not kept.
   */
  at(x: Tensor, operands: readonly Tensor[]): Tensor;
}

/** @throws FinegrainError where the layer has a loss of its own, which nothing outside of the computation would see. */
export function pure(layer: Layer, w: Weights<Params>, x: Tensor, context: Context): PureLayer {
  const weights = leaves<Tensor>(w).map(([, weight]) => weight);
  const draws = drawsOf(layer, w, x, context);
  return {
    operands: [...weights, ...draws],
    at(input, given) {
      let next = 0;
      const own = mapParams(layer.params, () => given[next++]!) as Weights<Params>;
      const { ledger: _, ...rest } = context;
      return layer.apply(own, input, { ...rest, random: replay(input, given.slice(weights.length)) });
    },
  };
}

/** What a layer draws, found by letting it build its graph once. */
function drawsOf(layer: Layer, w: Weights<Params>, x: Tensor, context: Context): Tensor[] {
  const draws: Tensor[] = [];
  const random: RandomSource = {
    uniform(shape) {
      const draw = context.random.uniform(shape);
      draws.push(draw);
      return draw;
    },
  };
  layer.apply(w, x, { ...context, random, ledger: noLosses });
  return draws;
}

const noLosses: Ledger = {
  loss(name) {
    throw new FinegrainError(
      `a layer with a loss of its own, ${name}, cannot be in a reversible block, nor be computed in chunks of time`,
    );
  },
  metric() {},
};

/** The same draws again. */
function replay(x: Tensor, draws: readonly Tensor[]): RandomSource {
  let next = 0;
  return {
    uniform() {
      const draw = draws[next++]!;
      const drawn = draw.op === "barrier" ? draw.inputs[0]! : draw;
      if (x.op !== "barrier" || drawn.op !== "uniform") return draw;
      const [key, counter] = drawn.inputs as [Tensor, Tensor];
      return uniform(barrier(key, x), counter, { shape: drawn.shape });
    },
  };
}
