import { FinegrainError, type HostTensor, parseJson, type TensorType } from "@finegrain/graph";
import { nodeFiles, nodePath } from "../node.ts";
import { makeFolder, syncFolder, writeFileAtomically, writeFileSynced } from "./atomic-file.ts";
import {
  type CheckpointContent,
  CONFIG,
  checkpointFiles,
  checkpointName,
  MODEL,
  OPTIMIZER,
  STATE,
  savedState,
  savedTypes,
} from "./checkpoint-files.ts";
import { readTensorFile, readTensorHeader } from "./tensor-file.ts";

/*
 * checkpoints/
 *   latest                  the name of the newest whole checkpoint
 *   best                    the name of the best, where they were judged
 *   step-000123/            written aside and renamed, so that it is whole or not there
 *     model.safetensors  optimizer.safetensors  config.json  state.json
 *     tokenizer.json        where the tokenizer was made from one, so that the folder can be copied alone
 */

const LATEST = "latest";
const BEST = "best";
/** A second checkpoint of the same step gets a number, so that the first is never in the way of being replaced. */
const NAME = /^step-(\d{6,})(?:-(\d+))?$/;
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
  const name = unusedName(content.step, await checkpointNames(folder));
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
  await writeFileAtomically(nodePath().join(folder, LATEST), `${name}\n`);
  if (isBest) await writeFileAtomically(nodePath().join(folder, BEST), `${name}\n`);
  const best = await pointed(nodePath().join(folder, BEST));
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
  const config = await readJson(nodePath().join(own, CONFIG));
  const { step, state } = savedState(await readJson(nodePath().join(own, STATE)), nodePath().join(own, STATE));
  const modelFile = nodePath().join(own, MODEL);
  const optimizerFile = nodePath().join(own, OPTIMIZER);
  return {
    path: own,
    step,
    config,
    state,
    modelTypes: await typesOf(modelFile),
    optimizerTypes: await typesOf(optimizerFile),
    readModel: () => readTensorFile(modelFile),
    readOptimizer: () => readTensorFile(optimizerFile),
  };
}

/** Names of the whole checkpoints in `folder`, the newest first. */
export async function checkpointNames(folder: string): Promise<string[]> {
  const order = (name: string) => [stepOf(name), Number(NAME.exec(name)?.[2] ?? 1)] as const;
  return (await nodeFiles().readdir(folder))
    .filter((name) => NAME.test(name))
    .sort((a, b) => order(b)[0] - order(a)[0] || order(b)[1] - order(a)[1]);
}

function stepOf(name: string): number {
  return Number(NAME.exec(name)?.[1] ?? Number.NaN);
}

function unusedName(step: number, names: readonly string[]): string {
  const name = checkpointName(step);
  let unused = name;
  for (let n = 2; names.includes(unused); n++) unused = `${name}-${n}`;
  return unused;
}

async function removeLeftOver(folder: string): Promise<void> {
  for (const name of await nodeFiles().readdir(folder)) {
    if (name.startsWith(ASIDE)) await nodeFiles().rm(nodePath().join(folder, name), { recursive: true });
  }
}

/** Whether a folder is a checkpoint, or of checkpoints. */
export const hasCheckpoint = async (folder: string): Promise<boolean> =>
  (await isFile(nodePath().join(folder, LATEST))) || (await isFile(nodePath().join(folder, MODEL)));

async function resolveFolder(path: string): Promise<string> {
  const { basename, dirname, join } = nodePath();
  const pointer = basename(path) === BEST && (await isFile(path)) ? path : join(path, LATEST);
  const name = await pointed(pointer);
  if (name !== undefined) return join(dirname(pointer), name);
  if (!(await isFile(join(path, MODEL))))
    throw new FinegrainError(`there is no checkpoint in ${path}: found neither "${LATEST}" nor "${MODEL}"`);
  return path;
}

/**
 * The checkpoint that a file names; undefined where there is no such file.
 * @throws FinegrainError where it names none.
 */
async function pointed(file: string): Promise<string | undefined> {
  if (!(await isFile(file))) return undefined;
  const name = (await nodeFiles().readFile(file, "utf8")).trim();
  if (!NAME.test(name)) throw new FinegrainError(`${file} names no checkpoint but "${name}"`);
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
