import type { FileHandle } from "node:fs/promises";
import type { HostTensor } from "@finegrain/graph";
import {
  decodeTensor,
  readSafetensorsHeader,
  type SafetensorsEntry,
  type SafetensorsHeader,
  safetensorsHeaderLength,
} from "@finegrain/nn";
import { readRange, withFile } from "./file-range.ts";

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

/**
 * Read one tensor of a safetensors file, by its entry in the header.
 * @throws FinegrainError where the file is missing or cut short.
 */
export const readTensor = (path: string, entry: SafetensorsEntry): Promise<HostTensor> =>
  withFile(path, async (file) => decodeTensor(entry, await readRange(file, entry.begin, entry.end, path), path));

async function headerOf(file: FileHandle, path: string): Promise<SafetensorsHeader> {
  const { size } = await file.stat();
  const start = await readRange(file, 0, Math.min(8, size), path);
  const length = safetensorsHeaderLength(start, size, path);
  return readSafetensorsHeader(await readRange(file, 0, length, path), path, size);
}
