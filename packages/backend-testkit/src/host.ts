import type { CaseFile } from "./golden/case.ts";

/** What the suite needs of where it runs: Node, or a page that Vite serves. */
export interface Host {
  /** The golden cases of this package, in the order of their paths. */
  goldenCases(): CaseFile[];
  /** Bytes of the process, or of the browser: workers, WebAssembly and the memory of a software GPU are in them. */
  usedBytes(): Promise<number>;
}

export const openHost = async (): Promise<Host> =>
  "document" in globalThis ? (await import("./host-page.ts")).host : (await import("./host-node.ts")).host;
