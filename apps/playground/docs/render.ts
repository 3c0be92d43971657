import { existsSync, readFileSync, statSync } from "node:fs";
import { posix, resolve } from "node:path";
import { Marked, type Tokens } from "marked";
import { getHeadingList, gfmHeadingId } from "marked-gfm-heading-id";
import manifest from "../package.json" with { type: "json" };
import { type DocPage, ROOT } from "./pages.ts";

/** Where a file of the repository can be read that is no page of the docs. */
const REPOSITORY = manifest.repository.url.replace(/^git\+|\.git$/g, "");

/** A page's content, and what else it needs. */
export interface Rendered {
  readonly html: string;
  /** Its headings of the second and third rank. */
  readonly headings: readonly { readonly level: number; readonly text: string; readonly id: string }[];
  /** Images of the repository, by their file in the folder of the docs: where they are in the repository. */
  readonly images: ReadonlyMap<string, string>;
}

/**
 * Markdown as HTML, as GitHub shows it. Links to what is a page of the docs lead there, others to the repository.
 * @throws Error where a link leads nowhere.
 */
export function render({ source, title, section }: DocPage, pages: readonly DocPage[]): Rendered {
  const images = new Map<string, string>();
  const link = (href: string) => linkFrom(source, href, pages);
  const image = (href: string): string => {
    if (isElsewhere(href)) return href;
    const path = posix.join(posix.dirname(source), href);
    if (!existsSync(resolve(ROOT, path))) throw new Error(`${source} shows ${href}, which is not there`);
    const file = `images/${path.replaceAll("/", "-")}`;
    images.set(file, path);
    return file;
  };
  const inHtml = (html: string) =>
    html
      .replace(/\b(src|srcset)="([^"]*)"/g, (_, name, href) => `${name}="${image(href)}"`)
      .replace(/\bhref="([^"]*)"/g, (_, href) => `href="${link(href)}"`);
  const marked = new Marked(gfmHeadingId(), {
    walkTokens(token) {
      if (token.type === "link") token.href = link(token.href);
      if (token.type === "image") token.href = image(token.href);
      if (token.type === "html") token.text = inHtml(token.text);
    },
    renderer: {
      // What may be wider than the page scrolls by itself, and is reached by the keyboard for that.
      code({ text }) {
        return `<pre tabindex="0"><code>${escaped(text)}</code></pre>\n`;
      },
      table(token) {
        return `<div class="wide" tabindex="0" role="group" aria-label="Table">${tableHtml(token, (cell) => this.parser.parseInline(cell.tokens))}</div>\n`;
      },
    },
  });
  const markdown = readFileSync(resolve(ROOT, source), "utf8");
  const html = marked.parse(section === "API" ? `# ${title}\n\n${markdown}` : markdown, { async: false });
  const headings = getHeadingList().filter(({ level }) => level === 2 || level === 3);
  return { html, headings: headings.map(({ level, text, id }) => ({ level, text, id })), images };
}

/** A heading that says nothing is none. */
function tableHtml({ header, rows }: Tokens.Table, inside: (cell: Tokens.TableCell) => string): string {
  const cellOf = (cell: Tokens.TableCell): string => {
    const name = cell.header && cell.text !== "" ? "th" : "td";
    return `<${name}${name === "th" ? ' scope="col"' : ""}>${inside(cell)}</${name}>`;
  };
  const row = (cells: readonly Tokens.TableCell[]) => `<tr>${cells.map(cellOf).join("")}</tr>`;
  return `<table><thead>${row(header)}</thead><tbody>${rows.map(row).join("")}</tbody></table>`;
}

const isElsewhere = (href: string): boolean => /^([a-z][a-z+.-]*:|\/\/)/i.test(href);

function linkFrom(source: string, href: string, pages: readonly DocPage[]): string {
  if (isElsewhere(href) || href.startsWith("#")) return href;
  const [to, hash] = href.split("#") as [string, string?];
  const path = posix.join(posix.dirname(source), to).replace(/\/$/, "");
  const page = pages.find(({ source }) => source === path || source === posix.join(path, "README.md"));
  const behind = hash === undefined ? "" : `#${hash}`;
  if (page) return `${page.file}${behind}`;
  if (!existsSync(resolve(ROOT, path))) throw new Error(`${source} leads to ${href}, which is not there`);
  const kind = statSync(resolve(ROOT, path)).isDirectory() ? "tree" : "blob";
  return `${REPOSITORY}/${kind}/main/${path}${behind}`;
}

export const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
