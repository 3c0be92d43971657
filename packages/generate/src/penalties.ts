// Penalties: which tokens the text has already, as a state that stays on the device, and what that makes of their logits.
//
// Axes: V tokens of the vocabulary.

import {
  div,
  equal,
  type HostTensor,
  hostTensor,
  iota,
  less,
  max,
  mul,
  scalar,
  select,
  sub,
  type Tensor,
} from "@finegrain/graph";
import { scalars } from "./draw-token.ts";

/** Marks of tokens, the stronger one counts. A token that the text does not have is 0. */
const OF_PROMPT = 1;
const WRITTEN = 2;

/**
 * The marks of a text's tokens, int32 [V].
 * @param written how many tokens at the end of the text were written, not given.
 */
export function marksOf(tokens: Int32Array, written: number, vocabulary: number): HostTensor {
  const marks = new Int32Array(vocabulary);
  tokens.forEach((token, i) => {
    marks[token] = Math.max(marks[token]!, i < tokens.length - written ? OF_PROMPT : WRITTEN);
  });
  return hostTensor("int32", [vocabulary], marks);
}

/**
 * The marks with one token more.
 *
 *   marks, returns  int32  [V]
 *   token           int32  []    which stands at `position`
 *   isWritten       bool   []    whether it was written, not given
 */
export const marked = (marks: Tensor, token: Tensor, isWritten: Tensor): Tensor =>
  select(
    equal(iota({ shape: marks.shape, axis: 0 }), token),
    max(marks, select(isWritten, scalar(WRITTEN, "int32"), scalar(OF_PROMPT, "int32"))),
    marks,
  );

/**
 * Logits, less those of the tokens that the text has.
 *
 *   logits, returns  float32  [V]
 *   marks            int32    [V]
 *   penalties        float32  [2]   of repetition, which divides what is above 0; and of presence, which is taken off
 */
export function penalized(logits: Tensor, marks: Tensor, penalties: Tensor): Tensor {
  const [repetition, presence] = scalars(penalties) as [Tensor, Tensor];
  const divided = select(less(0, logits), div(logits, repetition), mul(logits, repetition));
  const repeated = select(less(0, marks), divided, logits);
  return sub(repeated, select(less(OF_PROMPT, marks), presence, 0));
}
