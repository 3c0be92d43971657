import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, preview } from "vite";
import { ISOLATED } from "../vite.config.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The built page, at two addresses. */
export interface ServedPage extends AsyncDisposable {
  /** Cross-origin isolated. */
  readonly isolated: string;
  /** As a server gives it that knows nothing of such headers. */
  readonly plain: string;
}

export async function servePage(): Promise<ServedPage> {
  const outDir = await mkdtemp(join(tmpdir(), "finegrain-playground-"));
  await build({ root, logLevel: "error", build: { outDir, emptyOutDir: true } });
  const serve = (headers: Readonly<Record<string, string>>) =>
    preview({ root, configFile: false, logLevel: "error", build: { outDir }, preview: { port: 0, headers } });
  const servers = [await serve(ISOLATED), await serve({})];
  const [isolated, plain] = servers.map(({ resolvedUrls }) => resolvedUrls!.local[0]!) as [string, string]; // they listen
  return {
    isolated,
    plain,
    async [Symbol.asyncDispose]() {
      for (const server of servers) await server.close();
      await rm(outDir, { recursive: true });
    },
  };
}
