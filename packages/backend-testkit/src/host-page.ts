/// <reference types="vite/types/importMeta.d.ts" />
import { commands } from "vitest/browser";
import type { Host } from "./host.ts";

declare module "vitest/browser" {
  interface BrowserCommands {
    /** Resident bytes of the browser's processes, the page's garbage collected: see `vitest.chromium.ts`. */
    browserBytes(): Promise<number>;
  }
}

/** By path, what loads the address at which Vite serves the file. */
const addresses = import.meta.glob<string>("../golden/**/*.safetensors", { query: "?url", import: "default" });

export const host: Host = {
  goldenCases(folder) {
    if (folder !== undefined) throw new Error("a page reads no folders: the golden cases of a folder run in Node");
    return Object.entries(addresses)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([path, address]) => ({
        name: path.slice(path.lastIndexOf("/") + 1, -".safetensors".length),
        path,
        read: async () => {
          const response = await fetch(await address());
          if (!response.ok) throw new Error(`${path} cannot be fetched: ${response.status}`);
          return new Uint8Array(await response.arrayBuffer());
        },
      }));
  },
  usedBytes: () => commands.browserBytes(),
};
