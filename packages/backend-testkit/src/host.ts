import type { CaseFile } from "./golden/case.ts";

/** What the suite needs of where it runs: Node, or a page that Vite serves. */
export interface Host {
  /**
   * Golden cases, in the order of their paths.
   * @param folder where they are; default: this package's own, which only its repository has. None where they are not there.
   */
  goldenCases(folder?: string): CaseFile[];
  /** Bytes of the process, or of the browser: workers, WebAssembly and the memory of a software GPU are in them. */
  usedBytes(): Promise<number>;
}

export const openHost = async (): Promise<Host> =>
  "document" in globalThis ? (await import("./host-page.ts")).host : (await import("./host-node.ts")).host;
