import type { FileHandle } from "node:fs/promises";
import { FinegrainError, type HostTensor } from "@finegrain/graph";
import { decodeTensor, readSafetensorsHeader, type SafetensorsHeader, safetensorsHeaderLength } from "@finegrain/nn";
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
 * Read one tensor of a safetensors file of any size.
 * @throws FinegrainError as {@link readTensorFile} does, and where the file has no such tensor.
 */
export function readTensor(path: string, name: string): Promise<HostTensor> {
  return withFile(path, async (file) => {
    const entry = (await headerOf(file, path)).entries.get(name);
    if (entry === undefined) throw new FinegrainError(`${path} has no tensor "${name}" any more`);
    return decodeTensor(entry, await readRange(file, entry.begin, entry.end, path), path);
  });
}

async function headerOf(file: FileHandle, path: string): Promise<SafetensorsHeader> {
  const { size } = await file.stat();
  const start = await readRange(file, 0, Math.min(8, size), path);
  const length = safetensorsHeaderLength(start, size, path);
  return readSafetensorsHeader(await readRange(file, 0, length, path), path, size);
}
