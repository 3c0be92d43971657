import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";
import { framed } from "./frame.ts";
import { docPages, ROOT } from "./pages.ts";
import { render } from "./render.ts";

export interface DocsOptions {
  /** The folder with what `npm run docs` made, by its path in the repository. */
  readonly api: string;
}

const own = (path: string): string => readFileSync(fileURLToPath(new URL(path, import.meta.url)), "utf8");
const STYLE = "docs.css";
/** By how a file's name ends. */
const TYPES: Readonly<Record<string, string>> = {
  html: "text/html",
  css: "text/css",
  svg: "image/svg+xml",
  png: "image/png",
  webp: "image/webp",
};

/** Files of the docs by their place in the folder, in which the pages' addresses of style sheets are as given. */
function docFiles(api: string, styles: readonly string[]): Map<string, string | Uint8Array> {
  const pages = docPages(api);
  const index = own("../index.html");
  const files = new Map<string, string | Uint8Array>();
  for (const page of pages) {
    const rendered = render(page, pages);
    files.set(page.file, framed(page, rendered, { pages, index, styles }));
    for (const [file, path] of rendered.images) files.set(file, readFileSync(resolve(ROOT, path)));
  }
  files.set(STYLE, own("docs.css"));
  return files;
}

/** The docs beside the page, in the folder docs/: the repository's guides and API. */
export const docs = ({ api }: DocsOptions): Plugin => ({
  name: "docs",
  // As they are at this moment: what is edited is seen after a reload.
  configureServer({ middlewares }) {
    middlewares.use("/docs", ({ url }, response, next) => {
      const path = new URL(url ?? "/", "http://here").pathname.slice(1) || "index.html";
      const file = docFiles(api, ["/src/style/style.css", STYLE]).get(path);
      if (file === undefined) return next();
      const type = TYPES[path.split(".").at(-1)!];
      if (type) response.setHeader("Content-Type", type);
      response.end(file);
    });
  },
  generateBundle(_, bundle) {
    const styles = Object.keys(bundle).filter((name) => name.endsWith(".css"));
    for (const [name, source] of docFiles(api, [...styles.map((name) => `../${name}`), STYLE]))
      this.emitFile({ type: "asset", fileName: `docs/${name}`, source });
  },
});
