import { fileURLToPath } from "node:url";
import { caseFiles } from "./golden/folder.ts";
import type { Host } from "./host.ts";

/** Beside `src` here, and beside `dist` where the package is installed. */
const CASES = fileURLToPath(new URL("../golden", import.meta.url));

export const host: Host = {
  goldenCases: () => caseFiles(CASES),
  usedBytes: async () => process.memoryUsage().rss,
};
