import { catalog } from "../../definition/catalog.ts";
import { feedForward } from "./dense.ts";
import { expertChoice } from "./experts/expert-choice.ts";
import { groupedFeedForward } from "./experts/grouped-feed-forward.ts";
import { mixtureOfTokens } from "./experts/mixture-of-tokens.ts";
import { tokenChoice } from "./experts/token-choice.ts";
import { blockSparseFeedForward, switchFeedForward } from "./scaling/block-sparse-feed-forward.ts";
import { sparseFeedForward } from "./scaling/sparse-feed-forward.ts";
import { traxSparseFeedForward } from "./scaling/trax-sparse-feed-forward.ts";

/** Every feed-forward layer, in the order in which they are listed. */
export const feedForwards = catalog(
  feedForward,
  sparseFeedForward,
  traxSparseFeedForward,
  groupedFeedForward,
  mixtureOfTokens,
  expertChoice,
  tokenChoice,
  blockSparseFeedForward,
  switchFeedForward,
);
