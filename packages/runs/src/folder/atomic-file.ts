import { FinegrainError } from "@finegrain/graph";
import { nodeFiles, nodePath } from "../node.ts";

/** What a file is made from: bytes, text, or pieces that need not be in memory together. */
export type FileContent = string | Uint8Array | AsyncIterable<Uint8Array>;

/** How the names of files end that are being written: what a crash leaves behind. */
export const WRITING = ".writing";

/**
 * Replace the file at `path` as one: whoever reads it, even after a power cut, finds the whole old content or the whole
 * new one. Written beside it, synced and renamed. Where writing fails the old file is untouched and nothing is left over.
 *
 * @throws FinegrainError where the system refuses it, with its reason; what the iterable of `content` throws.
 */
export async function writeFileAtomically(path: string, content: FileContent): Promise<void> {
  const aside = `${path}.${process.pid}${WRITING}`;
  try {
    await writeFileSynced(aside, content, path);
    await nodeFiles().rename(aside, path).catch(cannotWrite(path));
  } catch (error) {
    await nodeFiles().rm(aside, { force: true });
    throw error;
  }
  await syncFolder(nodePath().dirname(path));
}

/** Throws an error of the system as one sentence that names what could not be written. */
export const cannotWrite =
  (name: string) =>
  (error: unknown): never => {
    throw new FinegrainError(`cannot write ${name}: ${reasonOf(error)}`, { cause: error });
  };

/** "ENOSPC: no space left on device, write" without the call, and the path that it may have been for. */
const reasonOf = (error: unknown): string =>
  error instanceof Error && "syscall" in error ? error.message.split(`, ${error.syscall}`)[0]! : String(error);

/**
 * Make a folder, and those above it, where they are not there.
 * @param name what to call it in an error.
 * @throws FinegrainError where the system refuses it, with its reason.
 */
export async function makeFolder(path: string, name = path): Promise<void> {
  const { mkdir } = nodeFiles();
  try {
    await mkdir(path, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
      return mkdir(path); // on a read-only file system Node's recursion says that there is no such folder, which is no reason
    });
  } catch (error) {
    const isFile = (error as NodeJS.ErrnoException).code === "EEXIST"; // nothing else throws here
    throw new FinegrainError(`cannot make the folder ${name}: ${isFile ? "it is a file" : reasonOf(error)}`, {
      cause: error,
    });
  }
}

/**
 * Write a new file and wait until the disk has it. Its name is on the disk only after {@link syncFolder}.
 * @param name what to call it in an error.
 * @throws FinegrainError where the system refuses it, with its reason; what the iterable of `content` throws.
 */
export async function writeFileSynced(path: string, content: FileContent, name = path): Promise<void> {
  const failed = cannotWrite(name);
  const file = await nodeFiles().open(path, "w").catch(failed);
  try {
    const pieces = typeof content === "string" || content instanceof Uint8Array ? [content] : content;
    for await (const piece of pieces) await file.appendFile(piece).catch(failed);
    await file.sync().catch(failed);
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
