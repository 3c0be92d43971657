import type { Communicator } from "@finegrain/distributed";
import { FinegrainError } from "@finegrain/graph";

/** Some of the micro-batches of a step, one behind the other. */
export interface Share {
  readonly start: number;
  /** Behind the last one. */
  readonly end: number;
}

/**
 * The micro-batches that are a rank's: as many as those of others, or one more.
 * @throws FinegrainError where there are fewer of them than ranks.
 */
export function shareOf(accumulate: number, { size, rank }: Pick<Communicator, "size" | "rank">): Share {
  if (accumulate < size)
    throw new FinegrainError(
      `a step of ${accumulate} micro-batches cannot be shared by ${size} ranks: accumulate has to be at least that, with smaller batches`,
    );
  return { start: Math.floor((rank * accumulate) / size), end: Math.floor(((rank + 1) * accumulate) / size) };
}
