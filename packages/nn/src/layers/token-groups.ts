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

/**
 * Tokens in groups, and the way back: [batch, time, features] <-> [groups, groupSize, features].
 *
 * @param spread the sequences of a group are batch / groupSize apart, and not neighbours.
 * @throws FinegrainError where the axis is not a multiple of the group's size.
 */
export function tokenGroups(
  owner: string,
  x: Tensor,
  { groupSize, groupAlong = "batch", spread = false }: TokenGroupsConfig & { readonly spread?: boolean },
): { readonly groups: Tensor; ungroup(groups: Tensor): Tensor } {
  const [batch, time, features] = x.shape as [number, number, number];
  const extent = groupAlong === "batch" ? batch : time;
  if (extent % groupSize !== 0)
    throw new FinegrainError(`${owner}: ${groupAlong} ${extent} is not a multiple of groupSize ${groupSize}`);
  const flat = [(batch * time) / groupSize, groupSize, features];
  if (groupAlong === "time") return { groups: reshape(x, flat), ungroup: (y) => reshape(y, x.shape) };
  const apart = spread ? [groupSize, batch / groupSize] : [batch / groupSize, groupSize];
  const there = spread ? [1, 2, 0, 3] : [0, 2, 1, 3];
  const back = spread ? [2, 0, 1, 3] : [0, 2, 1, 3];
  return {
    groups: reshape(transpose(reshape(x, [...apart, time, features]), there), flat),
    ungroup: (y) => reshape(transpose(reshape(y, [batch / groupSize, time, groupSize, features]), back), x.shape),
  };
}
