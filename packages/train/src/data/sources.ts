import { type HostTensor, hostTensor } from "@finegrain/graph";
import { PADDING } from "@finegrain/nn";
import type { BatchSize, HeldOutBatch } from "./batches.ts";

/** A batch of a model whose texts follow a source. */
export interface SourceSize extends BatchSize {
  /** Tokens of a source, its padding among them. */
  readonly source: number;
}

/** A source and what is to follow it, both with their ends. */
export interface Example {
  readonly source: Int32Array;
  readonly target: Int32Array;
}

/**
 * Rows as a trainer takes them: int32 [batch, source + length + 1], each the source, the token that a text begins with and the target, all
 * padded. Rows without an example are padding alone.
 */
export function rowsOf(examples: readonly Example[], { batch, source, length }: SourceSize): HostTensor {
  const width = source + length + 1;
  const data = new Int32Array(batch * width).fill(PADDING);
  examples.forEach((example, row) => {
    data.set(example.source, row * width);
    data.set(example.target, row * width + source + 1);
  });
  return hostTensor("int32", [batch, width], data);
}

/** The same for an evaluation, in which every token of a target counts. */
export function heldOutRowsOf(examples: readonly Example[], size: SourceSize): HeldOutBatch {
  const { batch, length } = size;
  const mask = new Float32Array(batch * length);
  examples.forEach(({ target }, row) => {
    mask.fill(1, row * length, row * length + target.length);
  });
  const count = examples.reduce((sum, { target }) => sum + target.length, 0);
  return { tokens: rowsOf(examples, size), mask: hostTensor("float32", [batch, length], mask), count };
}
