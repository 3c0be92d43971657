import { Html, html } from "./html.ts";
import { STYLE } from "./style.ts";

/** A part of the page, with an anchor in its table of contents. */
export interface Section {
  readonly id: string;
  readonly title: string;
  readonly lead: string;
  readonly content: readonly Html[];
}

/** What every page says it was made by, so that a newer one may replace it. */
export const GENERATOR = `<meta name="generator" content="finegrain report">`;

/** The whole page: styles and drawings are in it, it asks for nothing and runs nothing. */
export function page(title: string, subtitle: string, sections: readonly Section[]): string {
  const shown = sections.filter(({ content }) => content.length > 0);
  const links = shown.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`);
  const body = shown.map(
    ({ id, title, lead, content }) => html`<section id="${id}" aria-labelledby="${id}-title">
<h2 id="${id}-title">${title}</h2>
<p class="lead">${lead}</p>
${content}</section>
`,
  );
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
${new Html(GENERATOR)}
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<header>
<h1>${title}</h1>
<p>${subtitle}</p>
<nav aria-label="Sections"><ul>${links}</ul></nav>
</header>
<main>
${body}</main>
</body>
</html>
`.text;
}
