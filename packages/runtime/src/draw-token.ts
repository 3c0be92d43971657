// A token of logits, as more graph: so that a decode step ends in the token, and its logits never leave the device.
//
// Axes: V tokens of the vocabulary, K candidates.

import {
  abs,
  argMax,
  concat,
  constant,
  gather,
  less,
  log,
  mul,
  neg,
  reshape,
  select,
  slice,
  sub,
  type Tensor,
  topK as topKOf,
  uniform,
} from "@finegrain/graph";
import { nucleus, nucleusOfSorted } from "./nucleus.ts";
import type { DrawKind } from "./sampling.ts";

/** The largest finite float32: as which a logit counts that is NaN or infinite, so that it is what a search finds. */
const LARGEST = 3.4028234663852886e38;

/** Second counter word of the draws, so that they coincide with no others of the same seed. */
const SAMPLING_DRAW = 0x73616d70;

/** What a token is drawn with, each an input of the graph. */
export interface DrawInputs {
  /** int32 [2]: the seed. */
  readonly key: Tensor;
  /** float32 [2]: temperature and p. */
  readonly settings: Tensor;
  /** int32 []: tokens before the last. The draw is a function of it and the seed, whatever was drawn before. */
  readonly position: Tensor;
}

/**
 * Draw the token after the last.
 *
 * A draw is the largest of logit + temperature·g with g from Gumbel's distribution, which takes each token with its
 * probability: Gumbel, "Statistical Theory of Extreme Values" (1954); in the form of Maddison et al., "A* Sampling" (2014).
 *
 *   logits   float32  [V]
 *   returns  int32    []    -1 - token where the largest logit, of that token, is NaN or infinite
 */
export function drawToken(logits: Tensor, kind: DrawKind, inputs: DrawInputs): Tensor {
  const token = kind.greedy ? argMax(findable(logits)) : drawn(logits, kind, inputs);
  const isNumber = less(abs(gather(logits, token)), LARGEST);
  return select(isNumber, token, sub(neg(token), 1));
}

/** Logits among which one that is NaN or infinite is the largest. */
const findable = (logits: Tensor): Tensor => select(less(logits, LARGEST), logits, LARGEST); // NaN is less than nothing

function drawn(logits: Tensor, { topK, nucleus: isNucleus }: DrawKind, inputs: DrawInputs): Tensor {
  const { key, settings, position } = inputs;
  const [temperature, p] = [0, 1].map((i) => reshape(slice(settings, { starts: [i], ends: [i + 1] }), [])) as [
    Tensor,
    Tensor,
  ];
  const purpose = constant({ dtype: "int32", shape: [1], data: [SAMPLING_DRAW] });
  const counter = concat(reshape(position, [1]), purpose, { axis: 0 });
  const candidates = topK === undefined ? undefined : topKOf(findable(logits), { k: topK });
  const theirs = findable(candidates ? gather(logits, candidates) : logits);
  const noise = log(neg(log(uniform(key, counter, { shape: theirs.shape }))));
  const scores = sub(theirs, mul(temperature, noise));
  const kept = candidates ? nucleusOfSorted : nucleus;
  const chosen = argMax(isNucleus ? select(kept(theirs, temperature, p), scores, -LARGEST) : scores);
  return candidates ? gather(candidates, chosen) : chosen;
}
