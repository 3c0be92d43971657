import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, preview } from "vite";
import { ISOLATED, pageConfig } from "../vite.config.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The built page, at two addresses. */
export interface ServedPage extends AsyncDisposable {
  /** The folder that it was built into. */
  readonly folder: string;
  /** Cross-origin isolated. */
  readonly isolated: string;
  /** As a server gives it that knows nothing of such headers. */
  readonly plain: string;
}

/** Of one package, in the form of what `npm run docs` makes of all: that takes half a minute. */
const API = `## Functions

### alone()

\`\`\`ts
function alone(): Communicator;
\`\`\`

#### Returns

[\`Communicator\`](#communicator)

## Interfaces

### Communicator

| Property | Type | Description |
| ------ | ------ | ------ |
| <a id="property-rank"></a> \`rank\` | \`number\` | This process, from 0. |
`;

export async function servePage(): Promise<ServedPage> {
  const folder = await mkdtemp(join(tmpdir(), "finegrain-playground-"));
  const [outDir, api] = [join(folder, "page"), join(folder, "api")];
  await mkdir(join(api, "packages/distributed"), { recursive: true });
  await writeFile(join(api, "packages/distributed/src.md"), API);
  await build({ ...pageConfig(api), configFile: false, root, logLevel: "error", build: { outDir, emptyOutDir: true } });
  const serve = (headers: Readonly<Record<string, string>>) =>
    preview({ root, configFile: false, logLevel: "error", build: { outDir }, preview: { port: 0, headers } });
  const servers = [await serve(ISOLATED), await serve({})];
  const [isolated, plain] = servers.map(({ resolvedUrls }) => resolvedUrls!.local[0]!) as [string, string]; // they listen
  return {
    folder: outDir,
    isolated,
    plain,
    async [Symbol.asyncDispose]() {
      for (const server of servers) await server.close();
      await rm(folder, { recursive: true });
    },
  };
}
