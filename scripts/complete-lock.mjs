/**
 * Completes package-lock.json after a dependency was added or upgraded, and strips what must not be in it.
 *
 * A registry mirror may lack the binaries of platforms that its own users do not have. npm then leaves them out of the
 * lock file, and `npm ci` refuses it. This writes the missing entries from their names, with the exact version that the
 * owner asks for, so that one lock file serves every platform. It also drops the registry's addresses.
 *
 *   npm install --ignore-scripts && node scripts/complete-lock.mjs
 */
import { readFileSync, writeFileSync } from "node:fs";

const OS = { windows: "win32", win32: "win32" };
const CPU = { 64: "x64" };
const LIBC = { gnu: "glibc", musl: "musl" };

/** Reads `os`, `cpu` and `libc` from a binary's name, such as `@rollup/rollup-linux-arm64-musl`. */
function platformOf(name) {
  const match = name.match(
    /(aix|android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32|windows)-([a-z0-9]+)(?:-(gnu|musl))?/,
  );
  if (!match) throw new Error(`${name} is missing from the lock file and its name tells no platform`);
  const [, os, cpu, libc] = match;
  return {
    cpu: [CPU[cpu] ?? cpu],
    libc: os === "linux" && libc ? [LIBC[libc]] : undefined,
    os: [OS[os] ?? os],
  };
}

const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
const packages = lock.packages;
let added = 0;
for (const [path, owner] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(owner.optionalDependencies ?? {})) {
    const places = [`node_modules/${name}`, `${path}/node_modules/${name}`];
    if (places.some((place) => place in packages)) continue;
    const { cpu, libc, os } = platformOf(name);
    // In the order that npm writes them, so that its next run changes nothing. What is undefined is not written.
    packages[places[0]] = { version, cpu, dev: owner.dev, libc, optional: true, os };
    added += 1;
  }
}
for (const entry of Object.values(packages)) if (entry.resolved?.startsWith("http")) delete entry.resolved;
lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, "en")));
writeFileSync("package-lock.json", `${JSON.stringify(lock, null, 2)}\n`);
console.log(`package-lock.json: ${added} platform packages added`);
