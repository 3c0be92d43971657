import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { catalogs, type Option, type Options } from "../src/index.ts";

const page = new URL("../README.md", import.meta.url);

/** Cells that hold no bars of their own. */
const row = (...cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;

function feedForwardTable(): string {
  const layers = Object.values(catalogs.feedForward);
  return [
    row("`type`", "what it does", "causal", "decode"),
    row("---", "---", "---", "---"),
    ...layers.map(({ name, summary, causality, decoding }) => row(`\`${name}\``, summary, causality, decoding)),
  ].join("\n");
}

function optionTable(): string {
  const rows = Object.entries(catalogs).flatMap(([field, catalog]) =>
    Object.values(catalog).flatMap(({ name, options }: { readonly name: string; readonly options: Options }) =>
      Object.entries(options).map(([option, it]) =>
        row(`${field} \`${name}\``, `\`${option}\``, it.doc, it.range, without(it)),
      ),
    ),
  );
  return [row("layer", "option", "what it is", "must be", "default"), row(...Array(5).fill("---")), ...rows].join("\n");
}

const without = ({ default: usual, otherwise }: Option): string =>
  usual === undefined ? (otherwise ?? "none: it must be given") : `\`${JSON.stringify(usual)}\``;

/** The page with a new text between the comments of `title`. */
const withPart = (text: string, title: string, part: string): string =>
  text.replace(
    new RegExp(`(<!-- ${title}:[^\\n]*-->\\n)[^]*?(<!-- end -->)`),
    (_, start, end) => `${start}${part}\n${end}`,
  );

test("the README's tables are those of the catalogs", async () => {
  const text = withPart(readFileSync(page, "utf8"), "feed-forward layers", feedForwardTable());
  await expect(withPart(text, "options", optionTable())).toMatchFileSnapshot("../README.md");
});
