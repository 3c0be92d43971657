/**
 * Runs turbo with telemetry off. With `--quiet` first, only a failure prints anything but one line.
 *
 *   node scripts/turbo.mjs [--quiet] run build
 */
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";

const args = process.argv.slice(2);
const quiet = args[0] === "--quiet";
if (quiet) args.shift();

const started = Date.now();
if (quiet) process.stderr.write(`${args.join(" ")} … `);
const { status, signal, stdout, stderr } = spawnSync(
  process.execPath,
  [createRequire(import.meta.url).resolve("turbo/bin/turbo"), ...args],
  {
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1" },
    stdio: quiet ? ["ignore", "pipe", "pipe"] : "inherit",
    maxBuffer: 1 << 28,
  },
);
const failed = status !== 0;
if (quiet) {
  process.stderr.write(failed ? "failed\n" : `done in ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
  if (failed) process.stderr.write(Buffer.concat([stdout, stderr]));
}
process.exitCode = signal ? 130 : (status ?? 1);
