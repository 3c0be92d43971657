import { FinegrainError, type HostTensor, parseJson, type TensorType } from "@finegrain/graph";
import type { DistantWeight } from "@finegrain/nn";
import { nodeFiles, nodePath } from "../node.ts";
import { makeFolder, syncFolder, writeFileAtomically, writeFileSynced } from "./atomic-file.ts";
import { type CheckpointContent, checkpointFiles, savedState, savedTypes } from "./checkpoint-files.ts";
import { CHECKPOINT_FILES, CHECKPOINT_POINTERS, checkpointName, checkpointPlace } from "./run-files.ts";
import { readTensor, readTensorFile, readTensorHeader } from "./tensor-file.ts";

/*
 * Checkpoints in a folder on a disk. Each is written aside and renamed, so that it is whole or not there.
 */

const ASIDE = ".writing-";

export interface SaveOptions {
  /** Checkpoints that stay, beside the best. Default 3. */
  readonly keep?: number;
  /** Whether it is the best so far: it stays until there is a better one. Default false. */
  readonly isBest?: boolean;
}

export interface Checkpoint {
  /** The checkpoint's own folder. */
  readonly path: string;
  readonly step: number;
  readonly config: unknown;
  readonly state: unknown;
  /** Types by name, to be checked before anything is read. */
  readonly modelTypes: ReadonlyMap<string, TensorType>;
  readonly optimizerTypes: ReadonlyMap<string, TensorType>;
  readModel(): Promise<ReadonlyMap<string, HostTensor>>;
  /** The same one by one. Left out where all are in memory. */
  readonly modelTensors?: ReadonlyMap<string, DistantWeight>;
  readOptimizer(): Promise<ReadonlyMap<string, HostTensor>>;
}

/**
 * Save one checkpoint into `folder`, point `latest` at it, and remove all but the last `keep` of the folder and the best. At every
 * moment, power cuts included, `latest` names a whole checkpoint. One process at a time may save into a folder.
 *
 * @returns the path of the checkpoint's own folder.
 * @throws FinegrainError where the system refuses it, as a full disk does; earlier checkpoints are untouched then.
 */
export async function saveCheckpoint(
  folder: string,
  content: CheckpointContent,
  { keep = 3, isBest = false }: SaveOptions = {},
): Promise<string> {
  if (!Number.isInteger(keep) || keep < 1) {
    throw new FinegrainError(`the number of checkpoints to keep must be a whole number of at least 1, not ${keep}`);
  }
  await makeFolder(folder);
  const aside = nodePath().join(folder, `${ASIDE}${process.pid}`);
  await removeLeftOver(folder);
  const name = checkpointName(content.step, await checkpointNames(folder));
  const path = nodePath().join(folder, name);
  try {
    await makeFolder(aside, path);
    const { join } = nodePath();
    for (const [file, whole] of checkpointFiles(content))
      await writeFileSynced(join(aside, file), whole, join(path, file));
    await syncFolder(aside);
    await nodeFiles().rename(aside, path);
  } catch (error) {
    await nodeFiles().rm(aside, { recursive: true, force: true });
    throw error;
  }
  await syncFolder(folder);
  await writeFileAtomically(nodePath().join(folder, CHECKPOINT_POINTERS.latest), `${name}\n`);
  if (isBest) await writeFileAtomically(nodePath().join(folder, CHECKPOINT_POINTERS.best), `${name}\n`);
  const best = await pointed(nodePath().join(folder, CHECKPOINT_POINTERS.best));
  for (const old of (await checkpointNames(folder)).filter((n) => n !== name).slice(keep - 1)) {
    if (old !== best) await nodeFiles().rm(nodePath().join(folder, old), { recursive: true });
  }
  return path;
}

/**
 * Open a checkpoint: `path` is one checkpoint's folder; a folder of checkpoints, of which `latest` names one; or its file `best`.
 * Headers and sizes of all its files are checked; the tensors are read later, when asked for.
 *
 * @throws FinegrainError where there is no checkpoint, a file is missing, cut short or broken.
 */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  const own = await resolveFolder(path);
  const fileOf = (name: keyof typeof CHECKPOINT_FILES) => nodePath().join(own, CHECKPOINT_FILES[name]);
  const config = await readJson(fileOf("config"));
  const { step, state } = savedState(await readJson(fileOf("state")), fileOf("state"));
  const [modelFile, optimizerFile] = [fileOf("model"), fileOf("optimizer")];
  const { entries } = await readTensorHeader(modelFile);
  const modelTypes = savedTypes(entries, modelFile);
  return {
    path: own,
    step,
    config,
    state,
    modelTypes,
    optimizerTypes: await typesOf(optimizerFile),
    readModel: () => readTensorFile(modelFile),
    modelTensors: new Map(
      [...modelTypes].map(([name, type]) => [name, { type, read: () => readTensor(modelFile, entries.get(name)!) }]), // the types are the entries'
    ),
    readOptimizer: () => readTensorFile(optimizerFile),
  };
}

/** Names of the whole checkpoints in `folder`, the newest first. */
export async function checkpointNames(folder: string): Promise<string[]> {
  return (await nodeFiles().readdir(folder))
    .flatMap((name) => {
      const place = checkpointPlace(name);
      return place ? [{ name, place }] : [];
    })
    .sort((a, b) => b.place[0] - a.place[0] || b.place[1] - a.place[1])
    .map(({ name }) => name);
}

async function removeLeftOver(folder: string): Promise<void> {
  for (const name of await nodeFiles().readdir(folder)) {
    if (name.startsWith(ASIDE)) await nodeFiles().rm(nodePath().join(folder, name), { recursive: true });
  }
}

/** Whether a folder is a checkpoint, or of checkpoints. */
export const hasCheckpoint = async (folder: string): Promise<boolean> =>
  (await isFile(nodePath().join(folder, CHECKPOINT_POINTERS.latest))) ||
  (await isFile(nodePath().join(folder, CHECKPOINT_FILES.model)));

async function resolveFolder(path: string): Promise<string> {
  const { basename, dirname, join } = nodePath();
  const pointer =
    basename(path) === CHECKPOINT_POINTERS.best && (await isFile(path)) ? path : join(path, CHECKPOINT_POINTERS.latest);
  const name = await pointed(pointer);
  if (name !== undefined) return join(dirname(pointer), name);
  if (!(await isFile(join(path, CHECKPOINT_FILES.model))))
    throw new FinegrainError(
      `there is no checkpoint in ${path}: found neither "${CHECKPOINT_POINTERS.latest}" nor "${CHECKPOINT_FILES.model}"`,
    );
  return path;
}

/**
 * The checkpoint that a file names; undefined where there is no such file.
 * @throws FinegrainError where it names none.
 */
async function pointed(file: string): Promise<string | undefined> {
  if (!(await isFile(file))) return undefined;
  const name = (await nodeFiles().readFile(file, "utf8")).trim();
  if (!checkpointPlace(name)) throw new FinegrainError(`${file} names no checkpoint but "${name}"`);
  return name;
}

const isFile = (path: string): Promise<boolean> =>
  nodeFiles()
    .stat(path)
    .then(
      (found) => found.isFile(),
      () => false,
    );

/** @throws FinegrainError where a file is missing or no JSON. */
export async function readJson(path: string): Promise<unknown> {
  const text = await nodeFiles()
    .readFile(path, "utf8")
    .catch((error: NodeJS.ErrnoException) => {
      throw new FinegrainError(
        error.code === "ENOENT" ? `${path} is missing` : `cannot read ${path}: ${error.message}`,
      );
    });
  return parseJson(text, `${path} is cut short or broken: it`);
}

async function typesOf(path: string): Promise<ReadonlyMap<string, TensorType>> {
  return savedTypes((await readTensorHeader(path)).entries, path);
}
