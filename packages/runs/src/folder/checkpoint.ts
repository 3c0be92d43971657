import {
  type Buffer as DeviceBuffer,
  FinegrainError,
  type HostTensor,
  parseJson,
  shownJson,
  type TensorType,
} from "@finegrain/graph";
import { safetensorsChunks } from "@finegrain/nn";
import { nodeFiles, nodePath } from "../node.ts";
import { syncFolder, writeFileAtomically, writeFileSynced } from "./atomic-file.ts";
import { readTensorFile, readTensorHeader } from "./tensor-file.ts";

/*
 * checkpoints/
 *   latest                  the name of the newest whole checkpoint
 *   step-000123/            written aside and renamed, so that it is whole or not there
 *     model.safetensors  optimizer.safetensors  config.json  state.json
 */

const MODEL = "model.safetensors";
const OPTIMIZER = "optimizer.safetensors";
const CONFIG = "config.json";
const STATE = "state.json";
const LATEST = "latest";
/** A second checkpoint of the same step gets a number, so that the first is never in the way of being replaced. */
const NAME = /^step-(\d{6,})(?:-(\d+))?$/;
const ASIDE = ".writing-";

/** A tensor to be saved: on the host, or on a device and read when its turn comes, so that one at a time is in memory. */
export type SavedTensor = HostTensor | Pick<DeviceBuffer, "type" | "read">;

export interface CheckpointContent {
  /** Update steps that were done: the next step's number. */
  readonly step: number;
  readonly model: ReadonlyMap<string, SavedTensor>;
  readonly optimizer: ReadonlyMap<string, SavedTensor>;
  /** What the run was started with; JSON. */
  readonly config: unknown;
  /** What else a resume needs (random counters, metrics so far); JSON. */
  readonly state: unknown;
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
 * Save one checkpoint into `folder`, point `latest` at it, and remove all but the last `keep` of the folder. At every
 * moment, power cuts included, `latest` names a whole checkpoint. One process at a time may save into a folder.
 *
 * @returns the path of the checkpoint's own folder.
 * @throws what the file system throws, e.g. a full disk; earlier checkpoints are untouched then.
 */
export async function saveCheckpoint(
  folder: string,
  content: CheckpointContent,
  { keep = 3 }: { readonly keep?: number } = {},
): Promise<string> {
  if (!Number.isInteger(keep) || keep < 1) {
    throw new FinegrainError(`the number of checkpoints to keep must be a whole number of at least 1, not ${keep}`);
  }
  await nodeFiles().mkdir(folder, { recursive: true });
  const aside = nodePath().join(folder, `${ASIDE}${process.pid}`);
  await removeLeftOver(folder);
  const name = unusedName(content.step, await checkpointNames(folder));
  const path = nodePath().join(folder, name);
  try {
    await nodeFiles().mkdir(aside);
    await writeFileSynced(nodePath().join(aside, MODEL), chunks(content.model));
    await writeFileSynced(nodePath().join(aside, OPTIMIZER), chunks(content.optimizer));
    await writeFileSynced(nodePath().join(aside, CONFIG), json(content.config));
    await writeFileSynced(nodePath().join(aside, STATE), json({ step: content.step, state: content.state }));
    await syncFolder(aside);
    await nodeFiles().rename(aside, path);
  } catch (error) {
    await nodeFiles().rm(aside, { recursive: true, force: true });
    throw error;
  }
  await syncFolder(folder);
  await writeFileAtomically(nodePath().join(folder, LATEST), `${name}\n`);
  for (const old of (await checkpointNames(folder)).filter((n) => n !== name).slice(keep - 1)) {
    await nodeFiles().rm(nodePath().join(folder, old), { recursive: true });
  }
  return path;
}

/**
 * Open a checkpoint: `path` is one checkpoint's folder, or a folder of checkpoints, of which `latest` names one.
 * Headers and sizes of all its files are checked; the tensors are read later, when asked for.
 *
 * @throws FinegrainError where there is no checkpoint, a file is missing, cut short or broken.
 */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  const own = await resolveFolder(path);
  const config = await readJson(nodePath().join(own, CONFIG));
  const { step, state } = parseState(await readJson(nodePath().join(own, STATE)), nodePath().join(own, STATE));
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

function parseState(value: unknown, path: string): { step: number; state: unknown } {
  const { step, state } = (value ?? {}) as Record<string, unknown>; // any JSON but null has fields, if only undefined ones
  if (!Number.isInteger(step)) {
    throw new FinegrainError(`${path} is broken: its step must be a whole number, not ${shownJson(step)}`);
  }
  return { step: step as number, state };
}

function unusedName(step: number, names: readonly string[]): string {
  const name = `step-${String(step).padStart(6, "0")}`;
  let unused = name;
  for (let n = 2; names.includes(unused); n++) unused = `${name}-${n}`;
  return unused;
}

async function removeLeftOver(folder: string): Promise<void> {
  for (const name of await nodeFiles().readdir(folder)) {
    if (name.startsWith(ASIDE)) await nodeFiles().rm(nodePath().join(folder, name), { recursive: true });
  }
}

function chunks(tensors: ReadonlyMap<string, SavedTensor>): AsyncIterable<Uint8Array> {
  const types = new Map([...tensors].map(([name, saved]) => [name, "type" in saved ? saved.type : saved]));
  return safetensorsChunks(types, (name) => {
    const saved = tensors.get(name)!;
    return "type" in saved ? saved.read() : saved;
  });
}

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

async function resolveFolder(path: string): Promise<string> {
  const isFile = (file: string) =>
    nodeFiles()
      .stat(file)
      .then(
        (found) => found.isFile(),
        () => false,
      );
  if (await isFile(nodePath().join(path, LATEST))) {
    const name = (await nodeFiles().readFile(nodePath().join(path, LATEST), "utf8")).trim();
    if (!NAME.test(name))
      throw new FinegrainError(`${nodePath().join(path, LATEST)} names no checkpoint but "${name}"`);
    return nodePath().join(path, name);
  }
  if (!(await isFile(nodePath().join(path, MODEL)))) {
    throw new FinegrainError(`there is no checkpoint in ${path}: found neither "${LATEST}" nor "${MODEL}"`);
  }
  return path;
}

async function readJson(path: string): Promise<unknown> {
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
  const { entries } = await readTensorHeader(path);
  return new Map(
    [...entries].map(([name, { type, stored }]): [string, TensorType] => {
      if (type === undefined)
        throw new FinegrainError(`${path}: tensor "${name}" has the dtype "${stored}", which no checkpoint has`);
      return [name, type];
    }),
  );
}
