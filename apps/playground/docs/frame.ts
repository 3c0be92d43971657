import type { DocPage } from "./pages.ts";
import { escaped, type Rendered } from "./render.ts";

const SECTIONS = ["Guides", "Packages", "API"] as const;
/** Pages with fewer headings need no list of them. */
const LISTED = 4;

export interface FrameOptions {
  readonly pages: readonly DocPage[];
  /** The playground's own page, whose head and header the docs share. */
  readonly index: string;
  /** Addresses of the style sheets. */
  readonly styles: readonly string[];
}

/** A page of the docs as a whole. */
export function framed(page: DocPage, rendered: Rendered, { pages, index, styles }: FrameOptions): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <title>${escaped(page.title)}${page.section === "API" ? ": API" : ""} · finegrain docs</title>
    <link rel="icon" href="../icon.svg" type="image/svg+xml" />
    ${styles.map((href) => `<link rel="stylesheet" href="${href}" />`).join("\n    ")}
  </head>
  <body>
    <a class="skip" href="#main">Skip to the content</a>
    ${headerOf(index)}
    <div class="docs">
      <main id="main" tabindex="-1">
        <a class="to-contents" href="#contents">All pages</a>
        ${listOf(rendered)}
        <div class="prose">${rendered.html}</div>
      </main>
      <nav id="contents" aria-label="Docs">
        ${SECTIONS.map((section) => sectionOf(section, page, pages)).join("\n")}
      </nav>
    </div>
  </body>
</html>
`;
}

/** The playground's header, whose links lead back to it. */
function headerOf(index: string): string {
  const [header] = /<header class="top">[\s\S]*?<\/header>/.exec(index) ?? [];
  if (header === undefined) throw new Error("the playground's page has no header");
  return header
    .replaceAll(' aria-current="page"', "")
    .replaceAll('href="#', 'href="../index.html#')
    .replace('href="./docs/index.html"', 'href="index.html" aria-current="true"');
}

function listOf({ headings }: Rendered): string {
  if (headings.length < LISTED) return "";
  const items = headings.map(({ level, text, id }) => `<li class="rank-${level}"><a href="#${id}">${text}</a></li>`);
  return `<details class="list"><summary>On this page</summary><ul>${items.join("")}</ul></details>`;
}

function sectionOf(section: DocPage["section"], current: DocPage, pages: readonly DocPage[]): string {
  const own = pages.filter((page) => page.section === section);
  if (own.length === 0)
    return `<h2>${section}</h2><p>There are no pages of the API in this build: <code>npm run docs</code> makes them.</p>`;
  const items = own.map((page) => {
    const mark = page === current ? ' aria-current="page"' : "";
    return `<li><a href="${page.file}"${mark}>${escaped(page.title)}</a></li>`;
  });
  return `<h2>${section}</h2><ul>${items.join("")}</ul>`;
}
