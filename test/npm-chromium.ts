import { createReadStream, createWriteStream, existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { createBrotliDecompress } from "node:zlib";
import { extract } from "tar-fs";

const modules = fileURLToPath(new URL("../node_modules/", import.meta.url));
const PACKAGE = `${modules}@sparticuz/chromium`;

/** A headless Chromium and SwiftShader, a Vulkan driver in software, from npm: they need no library but glibc. */
export interface NpmChromium {
  /** The browser. */
  readonly executablePath: string;
  /** What the browser's process needs in its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** What a process needs in its environment, from its start on, to find the driver beside those of the system. */
  readonly driverEnv: Readonly<Record<string, string>>;
}

/**
 * The Chromium of the package `@sparticuz/chromium`, unpacked in `node_modules/.cache` the first time: 220 MB, in seconds.
 * @returns undefined where the package has none: it is for Linux on x64.
 */
export async function npmChromium(): Promise<NpmChromium | undefined> {
  if (process.platform !== "linux" || process.arch !== "x64" || !existsSync(PACKAGE)) return undefined;
  const { version } = JSON.parse(await readFile(`${PACKAGE}/package.json`, "utf8")) as { version: string };
  const folder = `${modules}.cache/finegrain/chromium-${version}`;
  await unpack(`${PACKAGE}/bin`, folder);
  return {
    executablePath: `${folder}/chromium`,
    env: {
      LD_LIBRARY_PATH: withPath("LD_LIBRARY_PATH", `${folder}/lib`),
      XDG_DATA_HOME: folder, // whose fonts a browser finds without any configuration
    },
    driverEnv: {
      LD_LIBRARY_PATH: withPath("LD_LIBRARY_PATH", folder),
      VK_ADD_DRIVER_FILES: withPath("VK_ADD_DRIVER_FILES", `${folder}/vk_swiftshader_icd.json`),
    },
  };
}

/** A list of paths in the environment, with one more at its end. */
const withPath = (name: string, path: string): string => [process.env[name], path].filter(Boolean).join(":");

/**
 * Unpack every `NAME.br` and `NAME.tar.br` of a folder into another one, which is there as a whole or not at all, even
 * where several processes do it at once.
 */
export async function unpack(archives: string, folder: string): Promise<void> {
  if (existsSync(folder)) return;
  await mkdir(dirname(folder), { recursive: true });
  const made = await mkdtemp(`${folder}.`);
  try {
    const names = (await readdir(archives)).filter((name) => name.endsWith(".br"));
    const unpacked = await Promise.allSettled(
      names.map((name) => {
        const isTar = name.endsWith(".tar.br");
        const written = isTar ? extract(made) : createWriteStream(join(made, basename(name, ".br")), { mode: 0o755 });
        return pipeline(createReadStream(join(archives, name)), createBrotliDecompress(), written);
      }),
    );
    // Only when none of them writes any more is there something to give up.
    for (const one of unpacked) if (one.status === "rejected") throw one.reason;
    await rename(made, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error; // else another process was first
    });
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}
