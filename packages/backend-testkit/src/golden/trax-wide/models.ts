import { scalar, slice, type Tensor, type TensorType } from "@finegrain/graph";
import { type LanguageModel, type LanguageModelParams, mapTree, type Weights } from "@finegrain/nn";
import { weightedCrossEntropy } from "@finegrain/train";
import { type Given, zeros } from "../given.ts";
import { namedSourceCase } from "../trax/encoder-decoder.ts";
import { languageModel } from "../trax/language-model.ts";
import { type Adapter, hardOrSoftForAll, shiftRight } from "../trax/layers.ts";

/**
 * Trax `ConfigurableTransformerLM`: the logits, or in training the loss of `input.1` with the weights `input.2`. Of what decoding
 * gives, the last token is compared: the tokens before it are one chunk.
 */
function languageModelCase(given: Given): Tensor {
  const { model, w } = languageModel(given, given);
  const tokens = shiftRight(given.input(0));
  given.compareLast("aux.predict_logits", () => lastLogits(model, w, tokens));
  const random = hardOrSoftForAll(given.context.random);
  const logits = model.logits(w, tokens, { ...given.context, random });
  if (given.mode !== "train") return logits;
  return weightedCrossEntropy({ logits, targets: given.input(1), weights: given.input(2) });
}

/** Logits after the last token, decoded: [batch, vocabulary]. */
function lastLogits(
  model: LanguageModel<LanguageModelParams>,
  w: Weights<LanguageModelParams>,
  tokens: Tensor,
): Tensor {
  const [batch, time] = tokens.shape as [number, number];
  const empty = mapTree<TensorType, Tensor>(model.caches(batch, time), ({ shape }) => zeros(shape));
  const cut = (start: number, end: number) => slice(tokens, { starts: [0, start], ends: [batch, end] });
  const { caches } = model.decode(w, cut(0, time - 1), empty, scalar(0, "int32"));
  return model.decode(w, cut(time - 1, time), caches, scalar(time - 1, "int32")).logits;
}

/** By Trax's names. */
export const wideModelAdapters: Readonly<Record<string, Adapter>> = {
  ConfigurableTerraformer: namedSourceCase("terraformer"),
  ConfigurableTransformer: namedSourceCase("transformer"),
  ConfigurableTransformerLM: languageModelCase,
  PlainTransformerLM: languageModelCase,
  TransformerLM: languageModelCase,
};
