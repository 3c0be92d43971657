import { FinegrainError, parseJson } from "@finegrain/graph";
import { readSafetensors, readSafetensorsHeader } from "@finegrain/nn";
import {
  CHECKPOINT_FILES,
  CHECKPOINT_POINTERS,
  type Checkpoint,
  checkpointFiles,
  checkpointName,
  RUN_FILES,
  type RunConfig,
  type RunStore,
  savedState,
  savedTypes,
} from "@finegrain/runs";
import type { Folder } from "./folder.ts";

/*
 * A run folder as a page keeps it: the same files as on a disk, so that what is downloaded is what `finegrain generate` opens.
 */

const CHECKPOINTS = `${RUN_FILES.checkpoints}/`;
const LATEST = `${CHECKPOINTS}${CHECKPOINT_POINTERS.latest}`;

/** A folder as the place of a run. It keeps one checkpoint: `latest` names a whole one at every moment. */
export function pageStore(folder: Folder): RunStore {
  return {
    folder: undefined,
    async begin(config, { json }) {
      for (const path of await folder.list()) await folder.remove(path);
      await folder.write(RUN_FILES.config, `${JSON.stringify(config, null, 2)}\n`);
      if (json !== undefined) await folder.write(RUN_FILES.tokenizer, json);
    },
    async openMetrics(resumeAt) {
      const kept = (await readRecords(folder)).filter(({ step }) => !(Number(step) >= resumeAt));
      const lines = kept.map((record) => `${JSON.stringify(record)}\n`);
      const flush = () => folder.write(RUN_FILES.metrics, lines.join(""));
      return {
        append: (record) => void lines.push(`${JSON.stringify(record)}\n`),
        flush,
        close: flush,
        [Symbol.asyncDispose]: flush,
      };
    },
    async save(content) {
      const before = await checkpointsIn(folder);
      const name = checkpointName(content.step, before);
      const path = `${CHECKPOINTS}${name}`;
      for (const [file, whole] of checkpointFiles(content)) await folder.write(`${path}/${file}`, whole);
      await folder.write(LATEST, `${name}\n`);
      for (const old of before) await folder.remove(`${CHECKPOINTS}${old}`);
      return checkpointIn(folder, path);
    },
  };
}

/** Names of the checkpoints that are there, those too of which a page that was closed wrote only a part. */
async function checkpointsIn(folder: Folder): Promise<string[]> {
  const inside = (await folder.list()).filter((path) => path.startsWith(CHECKPOINTS));
  const names = inside.map((path) => path.slice(CHECKPOINTS.length).split("/"));
  return [...new Set(names.flatMap(([name, file]) => (file === undefined ? [] : [name!])))]; // a file of its own is no checkpoint
}

/** The last checkpoint of a run that is kept; undefined where there is none. */
export async function keptCheckpoint(folder: Folder): Promise<Checkpoint | undefined> {
  const name = await folder.read(LATEST);
  return name && checkpointIn(folder, `${CHECKPOINTS}${textOf(name).trim()}`);
}

/** @throws FinegrainError where a file is missing or broken. */
export async function checkpointIn(folder: Folder, path: string): Promise<Checkpoint> {
  const pathOf = (file: keyof typeof CHECKPOINT_FILES) => `${path}/${CHECKPOINT_FILES[file]}`;
  const read = async (file: keyof typeof CHECKPOINT_FILES): Promise<Uint8Array> => {
    const bytes = await folder.read(pathOf(file));
    if (bytes === undefined) throw new FinegrainError(`${pathOf(file)} is missing`);
    return bytes;
  };
  const json = async (file: "config" | "state") => parseJson(textOf(await read(file)), pathOf(file));
  const types = async (file: "model" | "optimizer") => {
    const bytes = await read(file);
    return savedTypes(readSafetensorsHeader(bytes, pathOf(file), bytes.length).entries, pathOf(file));
  };
  const tensors = async (file: "model" | "optimizer") => readSafetensors(await read(file), pathOf(file)).tensors;
  const { step, state } = savedState(await json("state"), pathOf("state"));
  return {
    path,
    step,
    state,
    config: await json("config"),
    modelTypes: await types("model"),
    optimizerTypes: await types("optimizer"),
    readModel: () => tensors("model"),
    readOptimizer: () => tensors("optimizer"),
  };
}

/** What a run has logged: a record for every step and every evaluation. */
export async function readRecords(folder: Folder): Promise<Record<string, unknown>[]> {
  const bytes = await folder.read(RUN_FILES.metrics);
  const lines = bytes === undefined ? [] : textOf(bytes).split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>); // as the store wrote it
}

/** The config that a checkpoint of a run was saved with. */
export const configOf = ({ config }: Checkpoint): RunConfig => config as RunConfig; // as the store wrote it

export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
