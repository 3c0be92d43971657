import { barrier, checkpoint, concat, FinegrainError, slice, type Tensor } from "@finegrain/graph";
import type { DecodedLayer, Layer } from "../../layer.ts";
import { pure } from "../pure.ts";

/**
 * A feed-forward layer that takes `chunk` tokens of every text at a time, one chunk after the other, and computes each anew for the
 * backward pass: its hidden units are in memory for one chunk only. The last chunk may be shorter. Kitaev et al. 2020, "Reformer",
 * section 3; Trax `Chunk`, `ff_chunk_size`.
 *
 * @throws FinegrainError where a token's output depends on later tokens; in training, where the layer has a loss of its own.
 */
export function inChunks<L extends Layer | DecodedLayer>(layer: L, chunk: number): L {
  if (layer.notCausal !== undefined)
    throw new FinegrainError(`a feed-forward layer cannot be computed in chunks of time where ${layer.notCausal}`);
  return {
    ...layer,
    apply(w, x, context) {
      const time = x.shape[1]!;
      if (time <= chunk) return layer.apply(w, x, context);
      const pieces: Tensor[] = [];
      for (let start = 0; start < time; start += chunk) {
        const piece = ofTime(x, start, Math.min(start + chunk, time));
        const { operands, at } = pure(layer, w, piece, context);
        const before = pieces.at(-1);
        const inTurn = before ? barrier(piece, before) : piece;
        pieces.push(checkpoint(inTurn, ...operands, { body: ([input, ...given]) => at(input!, given) }));
      }
      return concat(...pieces, { axis: 1 });
    },
  };
}

/** Tokens of every text: [batch, time, features] -> [batch, end - start, features]. */
function ofTime(x: Tensor, start: number, end: number): Tensor {
  const [batch, , features] = x.shape as [number, number, number];
  return slice(x, { starts: [0, start, 0], ends: [batch, end, features] });
}
