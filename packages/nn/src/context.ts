import {
  add,
  concat,
  constant,
  FinegrainError,
  mul,
  reshape,
  type Shape,
  type Tensor,
  uniform,
} from "@finegrain/graph";

/** Where a layer gets its random numbers from while its graph is built. */
export interface RandomSource {
  /** float32 uniform in the open interval (0, 1). Every call is another draw. */
  uniform(shape: Shape): Tensor;
}

/** Where layers leave what a pass has besides its output: scalars, which training adds to its loss or writes down. */
export interface Ledger {
  /** float32 []: to be added to the loss, weighted already. */
  loss(name: string, value: Tensor): void;
  /** float32 []: to be watched. */
  metric(name: string, value: Tensor): void;
}

/** A ledger that can be read: losses of one name are added up, metrics of one name averaged. */
export interface ReadableLedger extends Ledger {
  readonly losses: ReadonlyMap<string, Tensor>;
  readonly metrics: ReadonlyMap<string, Tensor>;
}

/** A ledger of its own for one pass. */
export function openLedger(): ReadableLedger {
  const losses = new Map<string, Tensor>();
  const entries = new Map<string, Tensor[]>();
  return {
    loss(name, value) {
      const sofar = losses.get(name);
      losses.set(name, sofar ? add(sofar, value) : value);
    },
    metric: (name, value) => void entries.set(name, [...(entries.get(name) ?? []), value]),
    losses,
    get metrics() {
      return new Map(
        [...entries].map(([name, values]) => [
          name,
          mul(
            values.reduce((a, b) => add(a, b)),
            1 / values.length,
          ),
        ]),
      );
    },
  };
}

/** What a layer has to know of the pass that it is part of. */
export interface Context {
  readonly mode: "train" | "evaluate";
  readonly random: RandomSource;
  /** Evaluate what decode computes: a layer whose `decode` is another function than its `apply` uses that. Default false. */
  readonly asDecoded?: boolean;
  /** Absent where nobody asks: layers then leave it out of the graph. */
  readonly ledger?: Ledger;
  /** Ranks that share the experts out among them, each on tokens of its own: see `experts`. Absent where a process has all of them. */
  readonly expertRanks?: number | undefined;
}

/**
 * Draws from Philox: draw number n of a graph has the counter (counter, n).
 *
 *   key      int32 [2]    the seed
 *   counter  int32 []     a number that no other run with this key has: the step
 */
export function randomSource(key: Tensor, counter: Tensor): RandomSource {
  let draws = 0;
  const first = reshape(counter, [1]);
  return {
    uniform(shape) {
      const number = constant({ dtype: "int32", shape: [1], data: [draws++] });
      return uniform(key, concat(first, number, { axis: 0 }), { shape });
    },
  };
}

/** A training pass that draws from `random`. */
export const training = (random: RandomSource, ledger?: Ledger): Context => ({
  mode: "train",
  random,
  ...(ledger ? { ledger } : {}),
});

/** A pass without randomness. */
export const evaluation: Context = {
  mode: "evaluate",
  random: {
    uniform() {
      throw new FinegrainError("a layer drew a random number in evaluation, where nothing is random");
    },
  },
};
