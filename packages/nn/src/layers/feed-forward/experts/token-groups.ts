import { FinegrainError, reshape, type Tensor, transpose } from "@finegrain/graph";

/** Which tokens are put together: the same place of neighbouring sequences, or neighbouring places of one sequence. */
export type GroupAxis = "batch" | "time";

export interface TokenGroupsConfig {
  /** Tokens of a group. */
  readonly groupSize: number;
  /** "batch" is causal; "time" lets a token see later ones of its group. Default "batch". */
  readonly groupAlong?: GroupAxis;
}

/** What a model builder says of groups along time. */
export const LEAKS_ALONG_TIME = "groups along time let a token see later ones";

/** float32 [groups, groupSize, features], and the way back to [batch, time, features]. */
export interface TokenGroups {
  readonly groups: Tensor;
  ungroup(groups: Tensor): Tensor;
}

/**
 * Tokens in groups, and the way back: [batch, time, features] <-> [groups, groupSize, features].
 *
 * @param spread the sequences of a group are batch / groupSize apart, and not neighbours.
 * @throws FinegrainError where the axis is not a multiple of the group's size.
 */
export function tokenGroups(
  x: Tensor,
  { groupSize, groupAlong = "batch", spread = false }: TokenGroupsConfig & { readonly spread?: boolean },
): TokenGroups {
  const [batch, time, features] = x.shape as [number, number, number];
  const extent = groupAlong === "batch" ? batch : time;
  if (extent % groupSize !== 0)
    throw new FinegrainError(`feed-forward layer: ${groupAlong} ${extent} is not a multiple of groupSize ${groupSize}`);
  const flat = [(batch * time) / groupSize, groupSize, features];
  if (groupAlong === "time") return { groups: reshape(x, flat), ungroup: (y) => reshape(y, x.shape) };
  if (spread || groupSize === batch) return swapped(x, groupSize);
  const [apart, swap] = [
    [batch / groupSize, groupSize, time, features],
    [0, 2, 1, 3],
  ];
  return {
    groups: reshape(transpose(reshape(x, apart), swap), flat),
    ungroup: (y) => reshape(transpose(reshape(y, [batch / groupSize, time, groupSize, features]), swap), x.shape),
  };
}

/** Groups of every so-manieth token: two axes swap, and a backend may read the operand of a product through that. */
function swapped(x: Tensor, groupSize: number): TokenGroups {
  const features = x.shape[2]!;
  const rows = (x.shape[0]! * x.shape[1]!) / groupSize;
  return {
    groups: transpose(reshape(x, [groupSize, rows, features]), [1, 0, 2]),
    ungroup: (y) => reshape(transpose(y, [1, 0, 2]), x.shape),
  };
}
