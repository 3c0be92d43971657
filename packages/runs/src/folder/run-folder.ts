import { FinegrainError } from "@finegrain/graph";
import { nodeFiles, nodePath } from "../node.ts";
import type { RunStore } from "../store.ts";
import { makeFolder, WRITING, writeFileAtomically } from "./atomic-file.ts";
import { hasCheckpoint, openCheckpoint, saveCheckpoint } from "./checkpoint.ts";
import { openMetrics } from "./metrics.ts";
import { RUN_FILES } from "./run-files.ts";

/** Paths of the files of a run in a folder. */
export function runPaths(folder: string): Record<keyof typeof RUN_FILES, string> {
  const pathOf = (name: keyof typeof RUN_FILES) => nodePath().join(folder, RUN_FILES[name]);
  return {
    config: pathOf("config"),
    metrics: pathOf("metrics"),
    tokenizer: pathOf("tokenizer"),
    checkpoints: pathOf("checkpoints"),
  };
}

/**
 * Refuse a folder that is there and not empty: no run overwrites another.
 * @throws FinegrainError with what to do instead.
 */
export async function checkUnused(folder: string): Promise<void> {
  const entries = await nodeFiles()
    .readdir(folder)
    .then((names) => names.filter((name) => !name.endsWith(WRITING)))
    .catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw new FinegrainError(`cannot make the run folder ${folder}: ${error.message}`);
    });
  if (entries.length > 0)
    throw new FinegrainError(
      `${folder} is not empty (${entries.length} entries): choose another folder, or resume the run that is in it`,
    );
}

/** The first of `folder`, `folder-2`, `folder-3`, ... that is not there. */
export async function unusedFolder(folder: string): Promise<string> {
  for (let n = 1; ; n++) {
    const path = n === 1 ? folder : `${folder}-${n}`;
    if (!(await exists(path))) return path;
  }
}

export const exists = (path: string): Promise<boolean> =>
  nodeFiles()
    .access(path)
    .then(
      () => true,
      () => false,
    );

/** Whether a run was begun in a folder and stopped before its first checkpoint. */
export async function isBegun(folder: string): Promise<boolean> {
  const { config, checkpoints } = runPaths(folder);
  return (await exists(config)) && !(await hasCheckpoint(checkpoints)) && !(await hasCheckpoint(folder));
}

/** A run folder as the place of a run. */
export function folderStore(folder: string): RunStore {
  const paths = runPaths(folder);
  return {
    folder,
    async begin(config, { json }) {
      await checkUnused(folder);
      await makeFolder(folder);
      // From the config alone the run can begin again, so that a folder is of use from this moment on.
      await writeFileAtomically(paths.config, `${JSON.stringify(config, null, 2)}\n`);
      if (json !== undefined) await writeFileAtomically(paths.tokenizer, json);
    },
    openMetrics: (resumeAt) => openMetrics(paths.metrics, { resumeAt }),
    save: async (content, options) => openCheckpoint(await saveCheckpoint(paths.checkpoints, content, options)),
  };
}
