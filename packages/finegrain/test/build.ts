import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Builds the command before its tests run it, as vitest's global setup: turbo's cache makes that a moment. */
export default function build(): void {
  const turbo = fileURLToPath(new URL("../../../scripts/turbo.mjs", import.meta.url));
  execFileSync(process.execPath, [turbo, "--quiet", "run", "build", "--filter=finegrain"], { stdio: "inherit" });
}
