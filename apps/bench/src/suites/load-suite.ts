import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FinegrainError, parseJson } from "@finegrain/graph";
import { parseSuite } from "./parse-suite.ts";
import type { Suite } from "./suite.ts";

/** Where the suites that come with the package are: beside the build, or in the workspace where the sources run. */
function suiteFolder(): string {
  const built = fileURLToPath(new URL("./suites", import.meta.url));
  return existsSync(built) ? built : fileURLToPath(new URL("../../../../benchmarks/suites", import.meta.url));
}

/** Names of the suites that come with the package. */
export async function suiteNames(): Promise<string[]> {
  const files = await readdir(suiteFolder());
  return files.filter((file) => file.endsWith(".json")).map((file) => file.slice(0, -".json".length));
}

/**
 * Load a suite: the name of one that comes with the package, or the path of a JSON file.
 *
 * @throws FinegrainError where there is none, or the file is not a suite (names the field).
 */
export async function loadSuite(nameOrPath: string): Promise<Suite> {
  const names = await suiteNames();
  const path = names.includes(nameOrPath) ? join(suiteFolder(), `${nameOrPath}.json`) : nameOrPath;
  const text = await readFile(path, "utf8").catch(() => {
    throw new FinegrainError(
      `there is no suite "${nameOrPath}": known are ${names.join(", ")}, or give the path of a suite's JSON file`,
    );
  });
  return parseSuite(parseJson(text, `the suite ${path}`), path);
}
