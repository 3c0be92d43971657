import type { FileHandle } from "node:fs/promises";
import { FinegrainError } from "@finegrain/graph";
import { nodeFiles } from "../node.ts";

/** One read of Node moves at most this many bytes. */
const LONGEST_READ = 2 ** 30;

/**
 * The bytes of a file from `begin` to before `end`.
 * @throws FinegrainError where the file is shorter.
 */
export async function readRange(file: FileHandle, begin: number, end: number, path: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(end - begin);
  for (let done = 0; done < bytes.length; ) {
    const wanted = Math.min(LONGEST_READ, bytes.length - done);
    const { bytesRead } = await file.read(bytes, done, wanted, begin + done);
    if (bytesRead === 0) throw new FinegrainError(`${path} became shorter while it was read: expected ${end} bytes`);
    done += bytesRead;
  }
  return bytes;
}

/**
 * What `use` makes of an open file, which is closed then.
 * @throws FinegrainError where the file is missing or cannot be read.
 */
export async function withFile<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  let file: FileHandle;
  try {
    file = await nodeFiles().open(path, "r");
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    throw new FinegrainError(missing ? `${path} is missing` : `cannot read ${path}: ${(error as Error).message}`);
  }
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}
