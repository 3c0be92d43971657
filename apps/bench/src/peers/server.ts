import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type JsonLines, jsonLines, numberOf } from "./json-lines.ts";

/** The program of a peer: beside the build, or in the workspace where the sources run. */
function program(file: string): string {
  const built = fileURLToPath(new URL(`./peers/${file}`, import.meta.url));
  return existsSync(built) ? built : fileURLToPath(new URL(`../../peers/${file}`, import.meta.url));
}

/** Start a peer's program of the folder `peers`. @param command what runs it: an interpreter and its flags. */
export const startServer = (
  name: string,
  [command, ...flags]: readonly [string, ...string[]],
  file: string,
): JsonLines => jsonLines(name, command, [...flags, program(file)]);

/** What a task of a server does: answers to `{ do, task }`. */
export interface ServerTask extends AsyncDisposable {
  /** @returns seconds per unit. */
  seconds(what: "round" | "products"): Promise<number>;
}

/** A task that a server has prepared, by the number that it gave. */
export function serverTask(lines: JsonLines, task: number): ServerTask {
  return {
    seconds: async (what) => numberOf(await lines.request({ do: what, task }), "seconds"),
    async [Symbol.asyncDispose]() {
      await lines.request({ do: "drop", task }).catch(() => {}); // a process that has ended holds nothing
    },
  };
}
