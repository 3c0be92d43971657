import { existsSync, readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root. */
export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** Guides, in the order in which they are listed. */
const GUIDES = [
  "README.md",
  "docs/how-it-works.md",
  "docs/many-processes.md",
  "examples/README.md",
  "benchmarks/README.md",
  "benchmarks/page-against-node.md",
  "benchmarks/quality/README.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
];

/** A page of the docs. */
export interface DocPage {
  /** The Markdown that it is made from, by its path in the repository. */
  readonly source: string;
  /** Its file in the folder of the docs. */
  readonly file: string;
  readonly title: string;
  readonly section: "Guides" | "Packages" | "API";
}

/**
 * All pages of the docs.
 * @param api the folder with what `npm run docs` made, by its path, in the repository or elsewhere. Where it is not there, there are no pages of the API.
 */
export function docPages(api: string): DocPage[] {
  const nameOf = (folder: string) => folder.split("/")[1]!;
  const folders = [
    ...readdirSync(resolve(ROOT, "packages")).map((name) => `packages/${name}`),
    "apps/bench",
    "apps/playground",
  ];
  const packages = folders.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  const pages: readonly DocPage[] = [
    ...GUIDES.map((source) => ({
      source,
      file: source === "README.md" ? "index.html" : `${slugOf(source)}.html`,
      title: titleOf(source),
      section: "Guides" as const,
    })),
    ...packages.map((folder) => ({
      source: `${folder}/README.md`,
      file: `${nameOf(folder)}.html`,
      title: titleOf(`${folder}/README.md`),
      section: "Packages" as const,
    })),
    ...packages.map((folder) => ({
      source: `${api}/${folder}/src.md`,
      file: `${nameOf(folder)}-api.html`,
      title: titleOf(`${folder}/README.md`),
      section: "API" as const,
    })),
  ];
  return pages.filter(({ source }) => existsSync(resolve(ROOT, source)));
}

/** "docs/how-it-works.md" is "how-it-works", "examples/README.md" is "examples". */
const slugOf = (source: string): string =>
  source
    .replace(/^docs\//, "")
    .replace(/\/README\.md$|\.md$/, "")
    .replaceAll("/", "-")
    .toLowerCase();

function titleOf(source: string): string {
  const [, title] = /^# (.*)$/m.exec(readFileSync(resolve(ROOT, source), "utf8")) ?? [];
  if (title === undefined) throw new Error(`${source} has no title: its first heading is one`);
  return title;
}
