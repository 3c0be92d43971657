// Nucleus sampling: which tokens are the fewest most likely ones whose probabilities together reach p. A token is one of them where
// those before it, in the order of falling logits and rising indices, do not reach p yet.

import {
  add,
  and,
  div,
  exp,
  iota,
  less,
  mul,
  not,
  or,
  reduceMax,
  reduceSum,
  reshape,
  scalar,
  select,
  shiftRight,
  sub,
  type Tensor,
} from "@finegrain/graph";

/** Sorted logits up to so many are added up pair by pair; of more, the square would take longer than a search. */
const FEW = 1024;

/** Halvings of a range of logits: from under 32 to 2e-6, which is less than what a float32's rounding makes of exp. */
const HALVINGS = 24;

/**
 * The nucleus of logits that are sorted, largest first.
 *
 *   logits       float32  [K]
 *   temperature  float32  []
 *   p            float32  []
 *   returns      bool     [K]
 */
export function nucleusOfSorted(logits: Tensor, temperature: Tensor, p: Tensor): Tensor {
  const [count] = logits.shape as [number];
  if (count > FEW) return nucleus(logits, temperature, p);
  const { weights, enough } = weighed(logits, temperature, p);
  const [i, j] = [0, 1].map((axis) => iota({ shape: [count, count], axis })) as [Tensor, Tensor];
  const before = reduceSum(select(less(j, i), reshape(weights, [1, count]), 0), { axes: [1] });
  return less(before, enough);
}

/**
 * The nucleus of logits in any order, without a sort: the logit at its edge is found by halving a range, with a sum of all that is above
 * the middle. Logits that are less than 2e-6 temperatures apart count as equals there; of those at the edge, the last index is found
 * likewise.
 *
 *   logits, temperature, p, returns  as {@link nucleusOfSorted}
 */
export function nucleus(logits: Tensor, temperature: Tensor, p: Tensor): Tensor {
  const [count] = logits.shape as [number];
  const { powers, weights, enough } = weighed(logits, temperature, p);
  const sum = (of: Tensor) => reduceSum(select(of, weights, 0), { axes: [0] });

  // Lower ones have less than 2^-24 of the whole together, which no float32 p below 1 needs.
  const lowest = -Math.ceil(Math.log(count) + 25 * Math.LN2);
  let [low, high] = [scalar(lowest), scalar(0)];
  for (let halving = 0; halving < HALVINGS; halving++) {
    const middle = mul(add(low, high), 0.5);
    const reached = not(less(sum(less(middle, powers)), enough));
    [low, high] = [select(reached, middle, low), select(reached, high, middle)];
  }
  const above = less(high, powers);
  const edge = and(less(low, powers), not(above));
  const missing = sub(enough, sum(above));

  // How many indices it takes, in (none, all].
  const index = iota({ shape: [count], axis: 0 });
  let [none, all] = [scalar(0, "int32"), scalar(count, "int32")];
  for (let width = count; width > 1; width = Math.ceil(width / 2)) {
    const middle = shiftRight(add(none, all), { bits: 1 });
    const reached = not(less(sum(and(edge, less(index, middle))), missing));
    [none, all] = [select(reached, none, middle), select(reached, middle, all)];
  }
  return or(above, and(edge, less(index, all)));
}

/** Logits over the temperature, at most 0; their exponentials; and the part p of the sum of these. */
function weighed(logits: Tensor, temperature: Tensor, p: Tensor) {
  const powers = div(sub(logits, reduceMax(logits, { axes: [0], keepDims: true })), temperature);
  const weights = exp(powers);
  return { powers, weights, enough: mul(p, reduceSum(weights, { axes: [0] })) };
}
