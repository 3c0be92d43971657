import { FinegrainError, jsonObject, shownJson, type TensorType } from "@finegrain/graph";
import type { SafetensorsEntry } from "@finegrain/nn";
import { readJson } from "../../folder/checkpoint.ts";
import { exists } from "../../folder/run-folder.ts";
import { readTensor, readTensorHeader } from "../../folder/tensor-file.ts";
import { nodePath } from "../../node.ts";
import type { TensorSource } from "../tensor-source.ts";

const SINGLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";
/** What weights are stored as. */
const FLOATS = ["F32", "F16", "BF16"];

interface Stored {
  readonly file: string;
  readonly entry: SafetensorsEntry;
}

/**
 * The tensors of a folder of transformers: of its model.safetensors, or of the files that its index names.
 * @throws FinegrainError where a file is missing, cut short or broken, or lacks a tensor that the index has in it.
 */
export async function openSafetensors(folder: string): Promise<TensorSource> {
  const { join } = nodePath();
  const index = join(folder, INDEX);
  const stored = (await exists(index)) ? await fromIndex(index, folder) : await fromFile(join(folder, SINGLE));
  const types = [...stored].map(([name, { file, entry }]): [string, TensorType] => {
    if (!FLOATS.includes(entry.stored) || entry.type === undefined)
      throw new FinegrainError(
        `${file}: tensor "${name}" is stored as ${entry.stored}, which weights cannot be: only ${FLOATS.join(", ")} can`,
      );
    return [name, entry.type];
  });
  return {
    path: folder,
    types: new Map(types),
    read(name) {
      const { file, entry } = stored.get(name)!; // one of `types`
      return readTensor(file, entry);
    },
  };
}

async function fromFile(file: string): Promise<Map<string, Stored>> {
  const { entries } = await readTensorHeader(file);
  return new Map([...entries].map(([name, entry]) => [name, { file, entry }]));
}

async function fromIndex(index: string, folder: string): Promise<Map<string, Stored>> {
  const { weight_map: map } = jsonObject(await readJson(index), index);
  const named = Object.entries(jsonObject(map, `${index}: weight_map`));
  const files = new Map<string, Map<string, Stored>>();
  const stored = new Map<string, Stored>();
  for (const [name, file] of named) {
    if (typeof file !== "string" || nodePath().basename(file) !== file)
      throw new FinegrainError(`${index}: tensor "${name}" is in ${shownJson(file)}, which is no file beside it`);
    const own = files.get(file) ?? (await fromFile(nodePath().join(folder, file)));
    files.set(file, own);
    const found = own.get(name);
    if (found === undefined) throw new FinegrainError(`${index} has the tensor "${name}" in ${file}, which lacks it`);
    stored.set(name, found);
  }
  return stored;
}
