import { existsSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { caseFiles } from "./golden/folder.ts";
import type { Host } from "./host.ts";

/** Beside `src` and `dist` in the repository; an installed package is without them. */
const CASES = fileURLToPath(new URL("../golden", import.meta.url));

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void; // there from the flag on

export const host: Host = {
  goldenCases: (folder = existsSync(CASES) ? CASES : undefined) => (folder === undefined ? [] : caseFiles(folder)),
  async usedBytes() {
    collectGarbage();
    await setImmediate(); // finalizers of native objects run after it
    return process.memoryUsage().rss;
  },
};
