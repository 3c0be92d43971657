import { readFileSync } from "node:fs";
import { join } from "node:path";
import { publishedPackages, workspace } from "../imports.ts";

/** The TypeScript of a page, block by block. */
const blocksOf = (page: string): string[] => [...page.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(([, code]) => code!); // its one group

/** Every example of the READMEs by a name for its file, but for those of tests, which need a test runner. */
export function examples(): Record<string, string> {
  const folders = publishedPackages().map(({ folder }) => folder);
  const found: Record<string, string> = {};
  for (const folder of [".", ...folders.filter((path) => !path.endsWith("backend-testkit"))])
    blocksOf(readFileSync(join(workspace, folder, "README.md"), "utf8")).forEach((code, i) => {
      found[`${folder === "." ? "readme" : folder.replace("/", "-")}-${i + 1}.ts`] = code;
    });
  return found;
}
