/// <reference lib="dom" />
import type { RunName } from "../protocol.ts";

/** The browser's own storage for pages; undefined where it gives none, as in some private windows. */
const root = async (): Promise<FileSystemDirectoryHandle | undefined> => {
  try {
    return await navigator.storage.getDirectory();
  } catch {
    return undefined;
  }
};

/** Whether the browser keeps files for pages. Where it does not, what is trained lasts as long as its worker. */
export const keepsFiles = async (): Promise<boolean> => (await root()) !== undefined;

/** Whether the browser keeps a folder of a run. */
export const isKept = async (run: RunName): Promise<boolean> =>
  (await (await root())?.getDirectoryHandle(run).catch(() => undefined)) !== undefined;
