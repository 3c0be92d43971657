import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { FinegrainError } from "@finegrain/graph";
import { type Evidence, readEvidence } from "../results/evidence.ts";

/** Names the result files below a folder, the oldest first: their names have a date, and nothing says more. */
const ORDER = "order.txt";

/** The files of a folder of results, `MACHINE/DATE-COMMIT.jsonl`, the oldest first. */
export interface Recorded {
  readonly files: readonly (Evidence & { readonly machine: string; readonly name: string })[];
  /** What the order file says, with files that are new at its end, by when they were last written. */
  readonly order: string;
  readonly orderPath: string;
}

/** @throws FinegrainError where a file in the order is not there, or a line of one is no result. */
export async function readRecorded(folder: string): Promise<Recorded> {
  const orderPath = join(folder, ORDER);
  const known = (await readFile(orderPath, "utf8").catch(() => "")).split("\n").filter((line) => line !== "");
  const there = (await readdir(folder, { recursive: true })).map((name) => name.replaceAll("\\", "/"));
  const names = there.filter((name) => name.endsWith(".jsonl"));
  const gone = known.find((name) => !names.includes(name));
  if (gone !== undefined) throw new FinegrainError(`${orderPath} names ${gone}, which is not there`);
  const added = await Promise.all(
    names
      .filter((name) => !known.includes(name))
      .map(async (name) => ({ name, written: (await stat(join(folder, name))).mtimeMs })),
  );
  added.sort((a, b) => a.written - b.written || (a.name < b.name ? -1 : 1));
  const order = [...known, ...added.map(({ name }) => name)];
  const files = await Promise.all(
    order.map(async (name) => ({ ...(await readEvidence(join(folder, name))), name, machine: name.split("/")[0]! })), // a split has a first
  );
  return { files, order: `${order.join("\n")}\n`, orderPath };
}
