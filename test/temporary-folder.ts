import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What tests leave in the temporary folder of a run goes with it. */
export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), "finegrain-tests-"));
  process.env.TMPDIR = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
