import { FinegrainError } from "@finegrain/graph";
import type { Communicator } from "./communicator.ts";

/*
 * What ranks have to know of each other before they go the same way. All are called by every rank.
 */

/** Thrown by all ranks alike, so that one of them can say it for all. */
export class RanksDiffer extends FinegrainError {}

/** The value of rank `root` on all ranks, as JSON keeps it. */
export function valueOfRank<T>(communicator: Communicator, value: T, root = 0): T {
  if (communicator.size === 1) return value;
  const own = communicator.rank === root ? new TextEncoder().encode(JSON.stringify(value)) : new Uint8Array();
  const length = Int32Array.of(own.length);
  communicator.broadcast(length, root);
  const bytes = communicator.rank === root ? own : new Uint8Array(length[0]!);
  communicator.broadcast(bytes, root);
  return JSON.parse(new TextDecoder().decode(bytes)) as T; // as `root` wrote it
}

/** The values of all ranks on all of them, in their order, as JSON keeps them. */
export const valuesOfRanks = <T>(communicator: Communicator, value: T): T[] =>
  Array.from({ length: communicator.size }, (_, rank) => valueOfRank(communicator, value, rank));

/** Whether any rank says so. */
export function anyOf(communicator: Communicator, said: boolean): boolean {
  const flag = Int32Array.of(said ? 1 : 0);
  communicator.allReduce(flag, "max");
  return flag[0] === 1;
}

/**
 * Refuse to go on where ranks differ.
 * @param what has to be alike, by its name: a text, or what is compared and shown as JSON.
 * @throws RanksDiffer on all ranks alike: with the first thing that differs, the first rank where it does, and both values.
 */
export function expectAlike(communicator: Communicator, what: Readonly<Record<string, unknown>>): void {
  const { rank, size } = communicator;
  if (size === 1) return;
  const own = Object.fromEntries(Object.entries(what).map(([name, value]) => [name, shown(value)]));
  const first = valueOfRank(communicator, own);
  const differs = Object.keys(first).find((name) => own[name] !== first[name]);
  const at = Int32Array.of(differs === undefined ? size : rank);
  communicator.allReduce(at, "min");
  const other = at[0]!;
  if (other === size) return;
  const [name, value] = valueOfRank(communicator, differs === undefined ? ["", ""] : [differs, own[differs]!], other);
  throw new RanksDiffer(`rank ${other} has another ${name} than rank 0: ${value}, not ${first[name!]}`);
}

const shown = (value: unknown): string =>
  typeof value === "string" ? value : value === undefined ? "none" : JSON.stringify(value);

/** First rank 0 does it, and then all others: what it left is there for them. */
export async function firstRankFirst<T>(communicator: Communicator, work: () => Promise<T>): Promise<T> {
  if (communicator.rank > 0) await communicator.barrier();
  const done = await work();
  if (communicator.rank === 0) await communicator.barrier();
  return done;
}
