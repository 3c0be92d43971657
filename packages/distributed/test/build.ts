import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Builds what the programs of ranks import, as vitest's global setup: turbo's cache makes that a moment. */
export default function build(): void {
  const turbo = fileURLToPath(new URL("../../../scripts/turbo.mjs", import.meta.url));
  const built = ["distributed", "train", "backends"].map((name) => `--filter=@finegrain/${name}`);
  execFileSync(process.execPath, [turbo, "--quiet", "run", "build", ...built], { stdio: "inherit" });
}
