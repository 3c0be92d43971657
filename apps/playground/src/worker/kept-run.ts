import { FinegrainError } from "@finegrain/graph";
import { zipSync } from "fflate";
import type { Job } from "../protocol.ts";
import { openFolder } from "./folder.ts";
import { configOf, keptCheckpoint, readRecords } from "./run-files.ts";

export const keptRun: Job<"kept"> = async (name) => {
  const folder = await openFolder(name);
  const checkpoint = await keptCheckpoint(folder);
  if (checkpoint === undefined) return undefined;
  const { step } = checkpoint;
  const { steps } = configOf(checkpoint).training;
  const records = await readRecords(folder);
  // As the training loop wrote them: steps count from 0 there.
  return { step, steps, records: records.map((record) => ({ ...record, step: Number(record.step) + 1 })) };
};

/** Numbers do not get smaller by packing, so that the files are only put one behind the other. */
export const packRun: Job<"pack"> = async (name) => {
  const folder = await openFolder(name);
  const paths = await folder.list();
  if (paths.length === 0) throw new FinegrainError(`there is no run "${name}" to download: train one first`);
  const files: Record<string, Uint8Array> = {};
  for (const path of paths) {
    const bytes = await folder.read(path);
    if (bytes !== undefined) files[`${name}/${path}`] = bytes;
  }
  return new Blob([zipSync(files, { level: 0 })], { type: "application/zip" });
};
