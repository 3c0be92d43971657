import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { GENERATOR, readEvidence, reportPage } from "@finegrain/bench/report";
import { FinegrainError } from "@finegrain/graph";
import { makeFolder, writeFileAtomically } from "@finegrain/runs";
import type { Values } from "../../arguments.ts";
import { EXIT, type ExitCode } from "../../exit.ts";
import { bytes } from "../../output/format.ts";
import { terminal } from "../../output/terminal.ts";
import type { reportFlags } from "./flags.ts";

/** `finegrain report FILE...`: read all files before anything is written, then write `DIR/index.html` as one. */
export async function report({ out }: Values<typeof reportFlags>, files: readonly string[]): Promise<ExitCode> {
  const evidence = await Promise.all(files.map(readEvidence));
  const path = join(out, "index.html");
  await refuseForeign(path);
  const page = await reportPage(evidence);
  await makeFolder(out);
  await writeFileAtomically(path, page);
  terminal().print(`${path}: ${bytes(Buffer.byteLength(page))}, open it in any browser`);
  return EXIT.ok;
}

/** A report may replace an older one, and nothing else. */
async function refuseForeign(path: string): Promise<void> {
  const there = await readFile(path, "utf8").catch(() => undefined);
  if (there !== undefined && !there.includes(GENERATOR))
    throw new FinegrainError(`${path} is there and was not made by finegrain report: give another folder with --out`);
}
