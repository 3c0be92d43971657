import { FinegrainError, parseJson } from "@finegrain/graph";
import { readSafetensors, readSafetensorsHeader } from "@finegrain/nn";
import {
  type Checkpoint,
  checkpointFiles,
  checkpointName,
  type RunConfig,
  type RunStore,
  savedState,
  savedTypes,
} from "@finegrain/runs";
import type { Folder } from "./folder.ts";

/*
 * A run folder as a page keeps it: the same files as on a disk, so that what is downloaded is what `finegrain generate` opens.
 */

const CONFIG = "config.json";
const METRICS = "metrics.jsonl";
const CHECKPOINTS = "checkpoints";
const LATEST = `${CHECKPOINTS}/latest`;

/** A folder as the place of a run. It keeps one checkpoint: `latest` names a whole one at every moment. */
export function pageStore(folder: Folder): RunStore {
  return {
    folder: undefined,
    async begin(config, { json }) {
      for (const path of await folder.list()) await folder.remove(path);
      await folder.write(CONFIG, `${JSON.stringify(config, null, 2)}\n`);
      if (json !== undefined) await folder.write("tokenizer.json", json);
    },
    async openMetrics(resumeAt) {
      const kept = (await readRecords(folder)).filter(({ step }) => !(Number(step) >= resumeAt));
      const lines = kept.map((record) => `${JSON.stringify(record)}\n`);
      const flush = () => folder.write(METRICS, lines.join(""));
      return {
        append: (record) => void lines.push(`${JSON.stringify(record)}\n`),
        flush,
        close: flush,
        [Symbol.asyncDispose]: flush,
      };
    },
    async save(content) {
      const name = checkpointName(content.step);
      const path = `${CHECKPOINTS}/${name}`;
      const before = await latest(folder);
      for (const [file, whole] of checkpointFiles(content)) await folder.write(`${path}/${file}`, whole);
      await folder.write(LATEST, `${name}\n`);
      if (before !== undefined && before !== name) await folder.remove(`${CHECKPOINTS}/${before}`);
      return checkpointIn(folder, path);
    },
  };
}

const latest = async (folder: Folder): Promise<string | undefined> => {
  const name = await folder.read(LATEST);
  return name && textOf(name).trim();
};

/** The last checkpoint of a run that is kept; undefined where there is none. */
export async function keptCheckpoint(folder: Folder): Promise<Checkpoint | undefined> {
  const name = await latest(folder);
  return name === undefined ? undefined : checkpointIn(folder, `${CHECKPOINTS}/${name}`);
}

/** @throws FinegrainError where a file is missing or broken. */
export async function checkpointIn(folder: Folder, path: string): Promise<Checkpoint> {
  const read = async (file: string): Promise<Uint8Array> => {
    const bytes = await folder.read(`${path}/${file}`);
    if (bytes === undefined) throw new FinegrainError(`${path}/${file} is missing`);
    return bytes;
  };
  const json = async (file: string) => parseJson(textOf(await read(file)), `${path}/${file}`);
  const types = async (file: string) => {
    const bytes = await read(file);
    return savedTypes(readSafetensorsHeader(bytes, file, bytes.length).entries, file);
  };
  const tensors = async (file: string) => readSafetensors(await read(file), file).tensors;
  const { step, state } = savedState(await json("state.json"), `${path}/state.json`);
  return {
    path,
    step,
    state,
    config: await json(CONFIG),
    modelTypes: await types("model.safetensors"),
    optimizerTypes: await types("optimizer.safetensors"),
    readModel: () => tensors("model.safetensors"),
    readOptimizer: () => tensors("optimizer.safetensors"),
  };
}

/** What a run has logged: a record for every step and every evaluation. */
export async function readRecords(folder: Folder): Promise<Record<string, unknown>[]> {
  const bytes = await folder.read(METRICS);
  const lines = bytes === undefined ? [] : textOf(bytes).split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>); // as the store wrote it
}

/** The config that a checkpoint of a run was saved with. */
export const configOf = ({ config }: Checkpoint): RunConfig => config as RunConfig; // as the store wrote it

export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
