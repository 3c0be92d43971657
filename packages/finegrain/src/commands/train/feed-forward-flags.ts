import type { FeedForwardType } from "@finegrain/nn";
import type { Values } from "../../arguments.ts";
import { UsageError } from "../../exit.ts";
import type { trainFlags } from "./flags.ts";

type Flags = Values<typeof trainFlags>;
type Name = FeedForwardType["type"];

/** Flags of feed-forward layers that are made of experts. */
export const EXPERT_FLAGS = ["experts", "group-size", "group-along", "top-k", "capacity"] as const;

/** Which of them a layer has. */
const known: Readonly<Record<Name, readonly (typeof EXPERT_FLAGS)[number][]>> = {
  dense: [],
  sparse: [],
  "trax-sparse": [],
  grouped: ["experts", "group-size", "group-along"],
  "mixture-of-tokens": ["experts", "group-size", "group-along"],
  "expert-choice": ["experts", "group-size", "capacity"],
  "token-choice": ["experts", "top-k", "capacity"],
  "block-sparse": ["experts"],
  switch: ["experts"],
};

/** Tokens of a group, and experts, where no flag says how many. */
const USUAL = 8;

/**
 * The feed-forward layer that flags ask for.
 * @throws UsageError where a flag is not one of the layer's.
 */
export function feedForwardFromFlags(flags: Flags, { batch }: { batch: number }): FeedForwardType {
  const type = flags["feed-forward"] ?? "sparse";
  const extra = EXPERT_FLAGS.find((name) => flags[name] !== undefined && !known[type].includes(name));
  if (extra !== undefined) throw new UsageError(`--${extra} does not belong to --feed-forward ${type}`);
  const groupSize = flags["group-size"] ?? divisorUpTo(USUAL, batch);
  const experts = flags.experts ?? (known[type].includes("group-size") ? Math.max(2, groupSize) : USUAL);
  const along = flags["group-along"] === undefined ? {} : { groupAlong: flags["group-along"] };
  const capacity = flags.capacity === undefined ? {} : { capacityFactor: flags.capacity };
  switch (type) {
    case "dense":
      return { type };
    case "sparse":
    case "trax-sparse":
      return {
        type,
        blockSize: flags["block-size"] ?? 8,
        ...(flags.rank === undefined ? {} : { rank: flags.rank }),
      };
    case "grouped":
    case "mixture-of-tokens":
      return { type, experts, groupSize, ...along };
    case "expert-choice":
      return { type, experts, groupSize, ...capacity };
    case "token-choice":
      return { type, experts, ...(flags["top-k"] === undefined ? {} : { k: flags["top-k"] }), ...capacity };
    case "block-sparse":
    case "switch":
      return { type, experts };
  }
}

/** The largest number up to `most` that divides `n`. */
function divisorUpTo(most: number, n: number): number {
  let size = Math.min(most, n);
  while (n % size !== 0) size--;
  return size;
}
