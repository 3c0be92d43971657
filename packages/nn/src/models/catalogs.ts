import type { ConfigOf, NamedConfigOf } from "../definition/catalog.ts";
import { attentions } from "../layers/attention/catalog.ts";
import { feedForwards } from "../layers/feed-forward/catalog.ts";
import { losses } from "../layers/loss/catalog.ts";
import { norms } from "../layers/norm/catalog.ts";
import { positions } from "../layers/positions/catalog.ts";

/** Which feed-forward layer a model has: its name, and its options. */
export type FeedForwardConfig = ConfigOf<typeof feedForwards>;
export type AttentionConfig = ConfigOf<typeof attentions>;
export type LossConfig = ConfigOf<typeof losses>;
export type NormConfig = NamedConfigOf<typeof norms>;
export type PositionsConfig = NamedConfigOf<typeof positions>;

/** Every layer that comes with the package, by the field of a config that chooses among them. */
export const catalogs = { feedForward: feedForwards, attention: attentions, loss: losses, positions, norm: norms };
