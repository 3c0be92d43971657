import { FinegrainError, input } from "@finegrain/graph";
import { describe, expect, test } from "vitest";
import {
  denseAttention,
  evaluation,
  locallyConvolutionalDense,
  type ModelConfig,
  mapParams,
  multiplicativeDense,
  scalingLM,
  sparseFeedForward,
} from "../src/index.ts";

const base: ModelConfig = { vocabulary: 12, dModel: 8, dFf: 16, layers: 2, heads: 2, maxLength: 16 };
const convolutional = { type: "multiplicative-convolutional", modules: 2 } as const;

const wrong: [Partial<Record<keyof ModelConfig, unknown>>, string][] = [
  [{ layers: 0 }, "model config: layers must be a positive integer, not 0"],
  [{ dFf: 1.5 }, "model config: dFf must be a positive integer, not 1.5"],
  [{ vocabulary: undefined }, "model config: vocabulary must be a positive integer, not undefined"],
  [{ dropout: 1 }, "model config: dropout must be from 0 to below 1, not 1"],
  [{ attentionDropout: -0.1 }, "model config: attentionDropout must be from 0 to below 1, not -0.1"],
  [
    { attentionDropout: 0.1, attention: { type: "favor" } },
    "model config: there are no weights of keys that could be dropped, and attentionDropout is 0",
  ],
  [{ feedForwardChunk: 0 }, "model config: feedForwardChunk must be a positive integer, not 0"],
  [
    {
      feedForwardChunk: 4,
      objective: "masked",
      feedForward: { type: "grouped", experts: 4, groupSize: 2, groupAlong: "time" },
    },
    "a feed-forward layer cannot be computed in chunks of time where groups along time let a token see later ones",
  ],
  [{ heads: 3 }, "model config: dModel 8 is not a multiple of heads 3"],
  [
    { dFf: 18, feedForward: { type: "sparse", blockSize: 4 } },
    "model config: dFf 18 is not a multiple of feedForward.blockSize 4",
  ],
  [{ attention: { ...convolutional, modules: 4 } }, "model config: heads 2 is not a multiple of attention.modules 4"],
  [{ attention: { ...convolutional, modules: 3 } }, "model config: dModel 8 is not a multiple of attention.modules 3"],
  [
    { attention: { ...convolutional, output: "dense" } },
    'model config: attention.output must be one of none, mult, conv, multconv, not "dense"',
  ],
  [{ loss: { type: "multiplicative", modules: 5 } }, "model config: vocabulary 12 is not a multiple of loss.modules 5"],
  [
    { positions: "absolute" },
    'model config: positions must be one of learned, sinusoidal, rotary, axial, fixed-base, none, not "absolute"',
  ],
  [
    { feedForward: { type: "moe" } },
    'model config: feedForward.type must be one of dense, sparse, trax-sparse, grouped, mixture-of-tokens, expert-choice, token-choice, block-sparse, switch, not "moe"',
  ],
  [
    { feedForward: { type: "grouped", experts: 3, groupSize: 2 } },
    "model config: dFf 16 is not a multiple of feedForward.experts 3",
  ],
  [
    { feedForward: { type: "grouped", experts: 4, groupSize: 2, groupAlong: "time" } },
    "model config: the feed-forward layer grouped with these options cannot be in a causal language model: groups along time let a token see later ones",
  ],
  [
    { feedForward: { type: "mixture-of-tokens", experts: 4, groupSize: 0 } },
    "model config: feedForward.groupSize must be a positive integer, not 0",
  ],
  [
    { feedForward: { type: "mixture-of-tokens", experts: 4, groupSize: 2, groupAlong: "time" } },
    "model config: the feed-forward layer mixture-of-tokens with these options cannot be in a causal language model: groups along time let a token see later ones",
  ],
  [
    { feedForward: { type: "mixture-of-tokens", experts: 4, groupSize: 2, emit: "mean" } },
    'model config: feedForward.emit must be one of tokens, experts, ones, top, not "mean"',
  ],
  [
    { feedForward: { type: "expert-choice", experts: 4, choiceOver: "all" } },
    "model config: the feed-forward layer expert-choice with these options cannot be in a causal language model: experts that choose over all tokens see later ones",
  ],
  [
    { feedForward: { type: "expert-choice", experts: 4, softmaxOver: "tokens" } },
    'model config: the feed-forward layer expert-choice with these options cannot be in a causal language model: with softmaxOver "tokens" there is no decode, since a token alone has nothing to be compared with',
  ],
  [
    { feedForward: { type: "token-choice", experts: 4, k: 5 } },
    "model config: feedForward.k 5 is more than feedForward.experts 4",
  ],
  [
    { feedForward: { type: "token-choice", experts: 4, capacityFactor: 0 } },
    "model config: feedForward.capacityFactor must be greater than 0, not 0",
  ],
  [
    { objective: "masked", attention: convolutional },
    "model config: a masked language model needs attention in both directions, and multiplicative-convolutional attention is causal",
  ],
  [
    { feedForward: { type: "grouped", experts: 4 } },
    "model config: feedForward.groupSize must be a positive integer, not undefined",
  ],
  [
    { feedForward: { type: "sparse", blockSize: 4, ranks: 2 } },
    'model config: feedForward of type sparse has no option "ranks": it has blockSize, rank, temperature, balance',
  ],
  [
    { feedForward: { type: "expert-choice", experts: 4, layerNorm: "yes" } },
    'model config: feedForward.layerNorm must be true or false, not "yes"',
  ],
  [{ objective: "bert" }, 'model config: objective must be one of causal, masked, not "bert"'],
  [{ heads: 8, positions: "rotary" }, "model config: rotary positions need an even head width, not 1"],
  [
    { positions: "rotary", attention: { type: "dense", headWidth: 5 } },
    "model config: rotary positions need an even head width, not 5",
  ],
  [
    { positions: { type: "rotary", scaling: "llama3", lowFrequency: 4 } },
    "model config: positions.lowFrequency 4 is not less than positions.highFrequency 4",
  ],
  [{ attention: { type: "dense", kvHeads: 4 } }, "model config: heads 2 is not a multiple of attention.kvHeads 4"],
  [
    { feedForward: { type: "trax-sparse", blockSize: 4, quantizeProbability: 30 } },
    "model config: feedForward.quantizeProbability must be from 0 to 1, not 30",
  ],
  [
    { activation: "gelu", feedForward: { type: "sparse", blockSize: 4 } },
    "model config: a sparse feed-forward layer has the activation relu, not gelu",
  ],
];

test.each(wrong)("%j is refused", (part, message) => {
  const error = (() => {
    try {
      scalingLM({ ...base, ...part } as ModelConfig); // wrong on purpose
    } catch (thrown) {
      return thrown;
    }
  })();
  expect(error).toBeInstanceOf(FinegrainError);
  expect((error as Error).message).toBe(message);
});

test("a config that fits is taken", () => {
  expect(scalingLM({ ...base, attention: convolutional }).config).toEqual({ ...base, attention: convolutional });
});

describe("layers refuse", () => {
  test.each([
    ["units that are no whole blocks", () => sparseFeedForward({ dModel: 8, dFf: 10, blockSize: 4 }), "dFf 10"],
    ["outputs that are no whole modules", () => multiplicativeDense({ dIn: 8, dOut: 10, modules: 4 }), "dOut 10"],
    ["heads that do not divide the features", () => denseAttention({ dModel: 8, heads: 3 }), "dModel 8"],
    [
      "an even kernel",
      () => locallyConvolutionalDense({ dIn: 8, dOut: 8, modules: 2, kernel: 2, lengthKernel: 1 }),
      "must be an odd number of modules, not 2",
    ],
  ])("%s", (_, make, message) => {
    expect(make).toThrow(message);
  });

  test("more tokens than positions", () => {
    const model = scalingLM(base);
    const w = mapParams(model.params, ({ shape }) => input(shape));
    const tokens = input([1, 17], "int32");
    expect(() => model.logits(w, tokens, evaluation)).toThrow("17 tokens are more than the model's maxLength of 16");
  });
});
