import { nodeFiles, nodePath } from "../node.ts";

/** What a file is made from: bytes, text, or pieces that need not be in memory together. */
export type FileContent = string | Uint8Array | AsyncIterable<Uint8Array>;

/** How the names of files end that are being written: what a crash leaves behind. */
export const WRITING = ".writing";

/**
 * Replace the file at `path` as one: whoever reads it, even after a power cut, finds the whole old content or the whole
 * new one. Written beside it, synced and renamed. Where writing fails the old file is untouched and nothing is left over.
 *
 * @throws what the file system, or the iterable of `content`, throws.
 */
export async function writeFileAtomically(path: string, content: FileContent): Promise<void> {
  const aside = `${path}.${process.pid}${WRITING}`;
  try {
    await writeFileSynced(aside, content);
    await nodeFiles().rename(aside, path);
  } catch (error) {
    await nodeFiles().rm(aside, { force: true });
    throw error;
  }
  await syncFolder(nodePath().dirname(path));
}

/**
 * Make a folder, and those above it, where they are not there.
 * @throws what the file system throws: on a read-only one Node's own recursion says that there is no such folder, which is no reason.
 */
export async function makeFolder(path: string): Promise<void> {
  const { mkdir } = nodeFiles();
  const failed = await mkdir(path, { recursive: true }).then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error,
  );
  if (failed?.code === "ENOENT") await mkdir(path);
  else if (failed !== undefined) throw failed;
}

/** Write a new file and wait until the disk has it. Its name is on the disk only after {@link syncFolder}. */
export async function writeFileSynced(path: string, content: FileContent): Promise<void> {
  const file = await nodeFiles().open(path, "w");
  try {
    const pieces = typeof content === "string" || content instanceof Uint8Array ? [content] : content;
    for await (const piece of pieces) await file.appendFile(piece);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Wait until the disk has the names in `folder`: without it a rename may be undone by a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return; // it cannot open folders; NTFS journals renames itself
  const handle = await nodeFiles().open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
