import type { FinegrainError } from "@finegrain/graph";

/** Resolves to why a command had no effect, or to undefined; never rejects. A lost device fails no command: it says so itself. */
export type Failure = Promise<FinegrainError | undefined>;

/** The first of the failures that there is. */
export const firstOf = (failures: readonly Failure[]): Failure =>
  Promise.all(failures).then((all) => all.find((one) => one !== undefined));
