import { FinegrainError } from "@finegrain/graph";
import { expectAtMost, expectDivisible, expectOneOf, expectPositive } from "../config-error.ts";
import type { DecodedLayer, Layer } from "../layer.ts";
import { type ExpertChoiceConfig, expertChoice } from "../layers/feed-forward/experts/expert-choice.ts";
import {
  type GroupedFeedForwardConfig,
  groupedFeedForward,
} from "../layers/feed-forward/experts/grouped-feed-forward.ts";
import { type MixtureOfTokensConfig, mixtureOfTokens } from "../layers/feed-forward/experts/mixture-of-tokens.ts";
import { type TokenChoiceConfig, tokenChoice } from "../layers/feed-forward/experts/token-choice.ts";
import { feedForward } from "../layers/feed-forward/feed-forward.ts";
import {
  type BlockSparseFeedForwardConfig,
  blockSparseFeedForward,
  switchFeedForward,
} from "../layers/feed-forward/scaling/block-sparse-feed-forward.ts";
import { type SparseFeedForwardConfig, sparseFeedForward } from "../layers/feed-forward/scaling/sparse-feed-forward.ts";
import type { ModelConfig } from "./config.ts";

type Own<C> = Omit<C, "dModel" | "dFf">;

/** Which feed-forward layer a model has: its name, and its options beside `dModel` and `dFf`. */
export type FeedForwardType =
  | { readonly type: "dense" }
  | ({ readonly type: "sparse" } & Own<SparseFeedForwardConfig>)
  | ({ readonly type: "grouped" } & Own<GroupedFeedForwardConfig>)
  | ({ readonly type: "mixture-of-tokens" } & Own<MixtureOfTokensConfig>)
  | ({ readonly type: "expert-choice" } & Own<ExpertChoiceConfig>)
  | ({ readonly type: "token-choice" } & Own<TokenChoiceConfig>)
  | ({ readonly type: "block-sparse" } & Own<BlockSparseFeedForwardConfig>)
  | ({ readonly type: "switch" } & Own<BlockSparseFeedForwardConfig>);

/** The names of all feed-forward layers. */
export const feedForwardTypes = [
  "dense",
  "sparse",
  "grouped",
  "mixture-of-tokens",
  "expert-choice",
  "token-choice",
  "block-sparse",
  "switch",
] as const satisfies readonly FeedForwardType["type"][];

type Parts = Pick<ModelConfig, "dModel" | "dFf" | "activation" | "feedForward">;

/** The layer that a config chooses. Which parameters it has is only known when the config is read. */
export function feedForwardOf({ dModel, dFf, activation = "relu", feedForward: own }: Parts): Layer | DecodedLayer {
  switch (own?.type) {
    case undefined:
    case "dense":
      return feedForward({ dModel, dFf, activation });
    case "sparse":
      return sparseFeedForward({ ...own, dModel, dFf });
    case "grouped":
      return groupedFeedForward({ ...own, dModel, dFf });
    case "mixture-of-tokens":
      return mixtureOfTokens({ ...own, dModel, dFf });
    case "expert-choice":
      return expertChoice({ ...own, dModel, dFf });
    case "token-choice":
      return tokenChoice({ ...own, dModel, dFf });
    case "block-sparse":
      return blockSparseFeedForward({ ...own, dModel, dFf });
    case "switch":
      return switchFeedForward({ ...own, dModel, dFf });
  }
}

/** What `dFf` must be a multiple of. */
export function unitStep(own: FeedForwardType | undefined): { readonly name: string; readonly size: number } {
  if (own === undefined || own.type === "dense") return { name: "1", size: 1 };
  return own.type === "sparse" ? { name: "blockSize", size: own.blockSize } : { name: "experts", size: own.experts };
}

const OWNER = "model config";

/** Options that are one of a few names, by layer. */
const choices: Partial<Record<FeedForwardType["type"], Readonly<Record<string, readonly string[]>>>> = {
  grouped: { groupAlong: ["batch", "time"] },
  "mixture-of-tokens": {
    groupAlong: ["batch", "time"],
    controllers: ["shared", "separate", "common-base", "common-weighted", "separate-weighted"],
    merge: ["softmax", "logits"],
    emit: ["tokens", "experts", "ones", "top"],
    shuffle: ["time", "all"],
  },
  "expert-choice": {
    choiceOver: ["batch", "all"],
    softmaxOver: ["experts", "tokens"],
    router: ["own", "inner"],
    activation: ["relu", "gelu", "fastGelu", "silu"],
  },
  "token-choice": { activation: ["relu", "gelu", "fastGelu", "silu"] },
};

/** Options with a least number, and those that must be greater than it. */
const numbers = {
  whole: ["groupSize", "k", "rank"],
  positive: ["capacityFactor"],
  notNegative: ["loadBalancing", "zLoss", "temperature"],
};

/**
 * Refuse options that no layer can have.
 * @throws FinegrainError one sentence with the names and numbers that do not fit.
 */
export function checkFeedForward({ dFf, feedForward: own, activation }: Parts): void {
  expectOneOf(`${OWNER}: feedForward.type`, own?.type, feedForwardTypes);
  if (own === undefined || own.type === "dense") return;
  const step = unitStep(own);
  expectDivisible(OWNER, "dFf", dFf, `feedForward.${step.name}`, step.size);
  if (activation !== undefined && activation !== "relu")
    throw new FinegrainError(`${OWNER}: a ${own.type} feed-forward layer has the activation relu, not ${activation}`);
  const options = new Map<string, unknown>(Object.entries(own));
  for (const [name, allowed] of Object.entries(choices[own.type] ?? {}))
    expectOneOf(`${OWNER}: feedForward.${name}`, options.get(name) as string | undefined, allowed); // or it is refused
  for (const name of numbers.whole)
    if (options.has(name)) expectPositive(OWNER, `feedForward.${name}`, Number(options.get(name)));
  for (const name of numbers.positive) expectNumber(name, options, (x) => x > 0, "greater than 0");
  for (const name of numbers.notNegative) expectNumber(name, options, (x) => x >= 0, "at least 0");
  expectNumber("quantizeProbability", options, (x) => x >= 0 && x <= 1, "from 0 to 1");
  if (own.type === "mixture-of-tokens" && own.temperature === 0)
    throw new FinegrainError(`${OWNER}: feedForward.temperature must be greater than 0, not 0`);
  if (own.type === "mixture-of-tokens" && own.shuffle !== undefined && own.groupAlong !== "time")
    throw new FinegrainError(`${OWNER}: feedForward.shuffle needs groupAlong "time"`);
  if (own.type === "token-choice") expectAtMost(OWNER, "feedForward.k", own.k ?? 1, "feedForward.experts", own.experts);
}

function expectNumber(
  name: string,
  options: ReadonlyMap<string, unknown>,
  fits: (x: number) => boolean,
  range: string,
) {
  const value = options.get(name);
  if (value === undefined || (typeof value === "number" && fits(value))) return;
  throw new FinegrainError(`${OWNER}: feedForward.${name} must be ${range}, not ${value}`);
}
