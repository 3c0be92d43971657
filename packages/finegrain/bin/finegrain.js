#!/usr/bin/env node
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

// In a checkout the command is built from the sources as they are now; what was installed from npm is built already.
const root = new URL("../../../", import.meta.url);
const turbo = fileURLToPath(new URL("scripts/turbo.mjs", root));
const built = existsSync(turbo)
  ? spawnSync(process.execPath, [turbo, "--quiet", "run", "build"], {
      cwd: fileURLToPath(root),
      stdio: ["ignore", "ignore", "inherit"],
    })
  : { status: 0 };
if (built.status === 0) await import("../dist/main.js");
else process.exitCode = built.status ?? 1;
