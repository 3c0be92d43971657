import type { FileHandle } from "node:fs/promises";
import { FinegrainError, type HostTensor } from "@finegrain/graph";
import { decodeTensor, readSafetensorsHeader, type SafetensorsHeader, safetensorsHeaderLength } from "@finegrain/nn";
import { nodeFiles } from "../node.ts";

/** One read of Node moves at most this many bytes. */
const LONGEST_READ = 2 ** 30;

/**
 * Read and check the header of a safetensors file of any size.
 *
 * @throws FinegrainError where the file is missing, cut short, or broken (see `readSafetensorsHeader`).
 */
export function readTensorHeader(path: string): Promise<SafetensorsHeader> {
  return withFile(path, (file) => headerOf(file, path));
}

/**
 * Read the tensors of a safetensors file of any size, each into its own array.
 *
 * @throws FinegrainError where the file is missing, cut short, or broken (see `readSafetensors`).
 */
export function readTensorFile(path: string): Promise<ReadonlyMap<string, HostTensor>> {
  return withFile(path, async (file) => {
    const { entries } = await headerOf(file, path);
    const tensors = new Map<string, HostTensor>();
    for (const entry of entries.values()) {
      tensors.set(entry.name, decodeTensor(entry, await readRange(file, entry.begin, entry.end, path), path));
    }
    return tensors;
  });
}

async function headerOf(file: FileHandle, path: string): Promise<SafetensorsHeader> {
  const { size } = await file.stat();
  const start = await readRange(file, 0, Math.min(8, size), path);
  const length = safetensorsHeaderLength(start, size, path);
  return readSafetensorsHeader(await readRange(file, 0, length, path), path, size);
}

async function readRange(file: FileHandle, begin: number, end: number, path: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(end - begin);
  for (let done = 0; done < bytes.length; ) {
    const wanted = Math.min(LONGEST_READ, bytes.length - done);
    const { bytesRead } = await file.read(bytes, done, wanted, begin + done);
    if (bytesRead === 0) throw new FinegrainError(`${path} became shorter while it was read: expected ${end} bytes`);
    done += bytesRead;
  }
  return bytes;
}

async function withFile<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
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
