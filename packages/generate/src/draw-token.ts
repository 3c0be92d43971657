// A token of logits, as more graph: so that a decode step ends in the token, and its logits never leave the device.
//
// Axes: V tokens of the vocabulary, K candidates.

import {
  abs,
  add,
  argMax,
  concat,
  constant,
  div,
  dynamicSlice,
  exp,
  gather,
  less,
  log,
  max,
  mul,
  neg,
  reduceMax,
  reduceSum,
  reshape,
  select,
  slice,
  sub,
  type Tensor,
  topK as topKOf,
  uniform,
} from "@finegrain/graph";
import { nucleus, nucleusOfSorted } from "./nucleus.ts";
import type { DrawInputs, DrawKind } from "./sampling.ts";

/** The largest finite float32: as which a logit counts that is NaN or infinite, so that it is what a search finds. */
const LARGEST = 3.4028234663852886e38;

/** From so many tokens on, they are drawn in two steps. */
const MANY = 4096;

/** Second counter word of the draws, so that they coincide with no others of the same seed. */
const SAMPLING_DRAW = 0x73616d70;

/**
 * Draw the token after the last.
 *
 * A draw is the largest of logit + temperature·g with g from Gumbel's distribution, which takes each token with its
 * probability: Gumbel, "Statistical Theory of Extreme Values" (1954), as in Maddison et al., "A* Sampling" (2014).
 *
 *   logits    float32  [V]
 *   draw               see `drawInputs`: nothing where the draw is greedy
 *   position  int32    []    tokens before the last: the draw is a function of it and the seed, whatever was drawn before
 *   returns   int32    []    -1 - token where the largest logit, of that token, is NaN or infinite
 */
export function drawToken(logits: Tensor, kind: DrawKind, draw: DrawInputs, position: Tensor): Tensor {
  const { key, settings } = draw;
  const token = key && settings ? drawn(logits, kind, { key, settings, position }) : argMax(findable(logits));
  const isNumber = less(abs(gather(logits, token)), LARGEST);
  return select(isNumber, token, sub(neg(token), 1));
}

/** Finite logits, among which one that is NaN or +infinite is the largest. */
const findable = (logits: Tensor): Tensor => max(select(less(logits, LARGEST), logits, LARGEST), -LARGEST); // NaN is less than nothing

function drawn(logits: Tensor, kind: DrawKind, inputs: Record<"key" | "settings" | "position", Tensor>): Tensor {
  const { key, settings, position } = inputs;
  const { topK, nucleus: isNucleus, minP: isMinP } = kind;
  const [temperature, p, minP] = scalars(settings) as [Tensor, Tensor, Tensor];
  const purpose = constant({ dtype: "int32", shape: [1], data: [SAMPLING_DRAW] });
  const counter = concat(reshape(position, [1]), purpose, { axis: 0 });
  /** Gumbel's distribution, times the temperature. */
  const noise = (count: number) => mul(neg(temperature), log(neg(log(uniform(key, counter, { shape: [count] })))));

  const candidates = topK === undefined ? undefined : topKOf(findable(logits), { k: topK });
  const theirs = findable(candidates ? gather(logits, candidates) : logits);
  const isKept = candidates ? nucleusOfSorted : nucleus;
  const ofNucleus = isNucleus ? select(isKept(theirs, temperature, p), theirs, -LARGEST) : theirs;
  const kept = isMinP ? select(less(ofNucleus, leastLogit(theirs, temperature, minP)), -LARGEST, ofNucleus) : ofNucleus;
  const groups = groupsOf(kept.shape[0]!);
  const chosen = groups > 1 ? fromGroups(kept, groups, temperature, noise) : argMax(add(kept, noise(kept.shape[0]!)));
  return candidates ? gather(candidates, chosen) : chosen;
}

/** The numbers of a vector, each by itself. */
export const scalars = (vector: Tensor): Tensor[] =>
  Array.from({ length: vector.shape[0]! }, (_, i) => reshape(slice(vector, { starts: [i], ends: [i + 1] }), []));

/** Of a token that is `minP` times as likely as the most likely one. */
const leastLogit = (logits: Tensor, temperature: Tensor, minP: Tensor): Tensor =>
  add(reduceMax(logits, { axes: [0] }), mul(temperature, log(minP)));

/** Groups of logits that are drawn from in two steps: of about as many as each has tokens, or 1 where the logits are few. */
function groupsOf(count: number): number {
  let groups = count < MANY ? 1 : Math.floor(Math.sqrt(count));
  while (count % groups !== 0) groups--;
  return groups;
}

/**
 * Draw a group of neighbours, then a token of it: with as many random numbers as there are groups and tokens in one, not as there are
 * tokens. A group's logit is the logarithm of the sum of its tokens' exponentials, all of them over the temperature.
 */
function fromGroups(logits: Tensor, groups: number, temperature: Tensor, noise: (count: number) => Tensor): Tensor {
  const each = logits.shape[0]! / groups;
  const rows = reshape(logits, [groups, each]);
  const largest = reduceMax(rows, { axes: [1], keepDims: true });
  const sums = reduceSum(exp(div(sub(rows, largest), temperature)), { axes: [1] });
  const ofGroups = add(reshape(largest, [groups]), mul(temperature, log(sums)));
  const all = noise(groups + each);
  const group = argMax(add(ofGroups, slice(all, { starts: [0], ends: [groups] })));
  const row = reshape(dynamicSlice(rows, group, { axis: 0, length: 1 }), [each]);
  const token = argMax(add(row, slice(all, { starts: [groups], ends: [groups + each] })));
  return add(mul(group, each), token);
}
