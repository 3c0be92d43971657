import { FinegrainError, type HostTensor } from "@finegrain/graph";
import type { LanguageModel } from "@finegrain/nn";
import {
  type BatchSize,
  type HeldOutBatches,
  type HeldOutSize,
  heldOutBatches,
  listed,
  type TrainBatches,
  trainBatches,
} from "./batches.ts";
import type { Corpus } from "./corpus.ts";
import { pairsOf } from "./pairs.ts";
import { permutation } from "./permutation.ts";
import { type Example, heldOutRowsOf, rowsOf, type SourceSize } from "./sources.ts";
import { corrupted, corruptedLength, corruptedSizes } from "./span-corruption.ts";

/** What a model learns from, and is judged by. */
export interface Examples {
  /** Batches to train on: see {@link trainBatches}. @throws FinegrainError where there are too few tokens or pairs. */
  train(size: BatchSize & { readonly seed: number }): TrainBatches;
  /** All that is held out, in order: see {@link heldOutBatches}. @throws FinegrainError where there is too little. */
  heldOut(size: HeldOutSize): HeldOutBatches;
  /** Targets of the held-out text for one of its bytes: bits per byte = bits per target times this. */
  targetsPerByte(size: BatchSize): number;
}

/**
 * A corpus as a model sees it: windows of text for a language model alone; for one whose texts follow a source the pairs of the corpus, or
 * texts without some spans, which are what follows.
 *
 * @throws FinegrainError where the corpus is of pairs, and the model reads no source, or is of a tokenizer without sentinels.
 */
export function examplesOf(corpus: Corpus, { source: reader }: Pick<LanguageModel, "source">): Examples {
  const { heldOut, heldOutBytes, train, isPairs = false, special } = corpus;
  if (!reader) {
    if (isPairs) throw new FinegrainError("pairs of source and target are for a model with an encoder");
    return {
      train: (size) => trainBatches(train, size),
      heldOut: (size) => heldOutBatches(heldOut, size),
      targetsPerByte: () => heldOut.length / heldOutBytes,
    };
  }
  if (!special) throw new FinegrainError("a model whose texts follow a source needs a tokenizer with sentinels");
  const source = reader.maxLength;
  return isPairs ? ofPairs(corpus, source, special) : ofSpans(corpus, source, special);
}

type Special = NonNullable<Corpus["special"]>;

function ofPairs({ train, heldOut, heldOutBytes }: Corpus, source: number, special: Special): Examples {
  const targets = (size: SourceSize) => pairsOf(heldOut, special, size).reduce((n, { target }) => n + target.length, 0);
  return {
    train({ seed, ...own }) {
      const size = { ...own, source };
      const pairs = pairsOf(train, special, size);
      if (pairs.length < size.batch)
        throw new FinegrainError(`there are ${pairs.length} pairs to train on, fewer than a batch of ${size.batch}`);
      let last: { epoch: number; order: (index: number) => number } | undefined;
      const pairAt = (index: number): Example => {
        const epoch = Math.floor(index / pairs.length);
        if (last?.epoch !== epoch) last = { epoch, order: permutation(pairs.length, seed, epoch) };
        return pairs[last.order(index % pairs.length)]!;
      };
      const at = (step: number): HostTensor =>
        rowsOf(
          Array.from({ length: size.batch }, (_, row) => pairAt(step * size.batch + row)),
          size,
        );
      return listed(own, pairs.length, at);
    },
    heldOut(own) {
      const size = { ...own, source };
      const pairs = pairsOf(heldOut, special, size);
      if (pairs.length === 0) throw new FinegrainError("no pair is held out: give more of them");
      return inOrder(Math.ceil(pairs.length / size.batch), (index) =>
        heldOutRowsOf(pairs.slice(index * size.batch, (index + 1) * size.batch), size),
      );
    },
    targetsPerByte: (own) => targets({ ...own, source }) / heldOutBytes,
  };
}

/** Held-out texts are without the same spans in every evaluation. */
const HELD_OUT_SEED = 0;

function ofSpans({ train, heldOut, heldOutBytes }: Corpus, source: number, special: Special): Examples {
  const ofText = (own: BatchSize) => corruptedLength({ ...own, source }, special);
  return {
    train({ seed, ...own }) {
      const size = { ...own, source };
      const length = ofText(own);
      const windows = trainBatches(train, { batch: own.batch, length: length - 1, seed });
      const at = (step: number): HostTensor => {
        const { data } = windows.at(step);
        const texts = Array.from({ length: own.batch }, (_, row) => {
          const text = Int32Array.from(data.subarray(row * length, (row + 1) * length));
          return corrupted(text, special, { seed, number: step * own.batch + row });
        });
        return rowsOf(texts, size);
      };
      return listed(own, windows.windows, at);
    },
    heldOut(own) {
      const size = { ...own, source };
      const length = ofText(own);
      const windows = heldOutBatches(heldOut, { batch: own.batch, length: length - 1 });
      return inOrder(windows.length, (index) => {
        const { tokens, mask } = windows.at(index);
        const texts = Array.from({ length: own.batch }, (_, row) => {
          const ofRow = mask.data.subarray(row * (length - 1), (row + 1) * (length - 1));
          const there = Array.from(ofRow).filter((counts) => counts > 0).length;
          const text = Int32Array.from(tokens.data.subarray(row * length, row * length + there + 1));
          return { there, text, number: index * own.batch + row };
        });
        const whole = texts.filter(({ there }) => there > 0);
        return heldOutRowsOf(
          whole.map(({ text, number }) => corrupted(text, special, { seed: HELD_OUT_SEED, number })),
          size,
        );
      });
    },
    targetsPerByte(own) {
      const { target, missing } = corruptedSizes(ofText(own));
      return ((target / missing) * heldOut.length) / heldOutBytes;
    },
  };
}

function inOrder(length: number, at: HeldOutBatches["at"]): HeldOutBatches {
  return {
    length,
    at,
    *[Symbol.iterator]() {
      for (let index = 0; index < length; index++) yield at(index);
    },
  };
}
