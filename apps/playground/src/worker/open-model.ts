import { byteTokenizer, huggingFaceTokenizer, type Tokenizer } from "@finegrain/generate";
import { type Backend, FinegrainError, type JsonObject, jsonObject, parseJson } from "@finegrain/graph";
import { type ModelConfig, matchTensors, paramTypes, readSafetensors, type Storage, scalingLM } from "@finegrain/nn";
import { CHECKPOINT_FILES, CHECKPOINT_POINTERS, RUN_FILES } from "@finegrain/runs";
import { unzipSync } from "fflate";
import type { DroppedFile, ModelSource } from "../protocol.ts";
import { type Folder, memoryFolder, openFolder } from "./folder.ts";
import { textOf } from "./run-files.ts";
import { type WatchedModel, watchedModel } from "./watched-model.ts";

const { model: WEIGHTS, config: CONFIG, tokenizer: TOKENIZER } = CHECKPOINT_FILES;

/**
 * Open a model for watching. Weights are kept as the file has them, where the backend can.
 * @throws FinegrainError where there is no checkpoint, or it is not what its config says.
 */
export async function openModel(source: ModelSource, backend: Backend): Promise<WatchedModel> {
  const { read, list } = await folderOf(source);
  const paths = await list();
  if (source.kind === "trained" && paths.length === 0)
    throw new FinegrainError("there is no pair that you trained and that this browser keeps: train one first");
  const place = await checkpointPlace(paths, read);
  const file = async (name: string): Promise<Uint8Array | undefined> => {
    // A checkpoint has its own config and tokenizer, or its run has.
    for (const folder of [place, runOf(place)]) {
      const bytes = await read(`${folder}${name}`);
      if (bytes !== undefined) return bytes;
    }
    return undefined;
  };
  const config = await file(CONFIG);
  if (config === undefined)
    throw new FinegrainError(`${source.name} has no ${CONFIG}, which says what the model is: drop it with the weights`);
  const saved = jsonObject(parseJson(textOf(config), CONFIG), CONFIG);
  const model = scalingLM(modelIn(saved));
  const bytes = (await file(WEIGHTS))!; // the checkpoint's place is where it is
  const { tensors } = readSafetensors(bytes, WEIGHTS);
  matchTensors(tensors, paramTypes(model.params), source.name);
  const kept = readSafetensors(bytes, WEIGHTS, { keepFloat16: true });
  const isNarrow = [...kept.tensors.values()].some(({ dtype }) => dtype === "float16");
  const storage: Storage = isNarrow && backend.storage?.has("float16") ? "float16" : "float32";
  const tokenizer = await tokenizerOf(saved, () => file(TOKENIZER));
  const bitsPerByte = typeof saved.bitsPerByte === "number" ? saved.bitsPerByte : undefined;
  return watchedModel({ name: source.name, backend, model, tokenizer, weights: tensors, storage, bitsPerByte });
}

/** A config is a run's, which has the model's as "model", or the model's own. */
function modelIn(saved: JsonObject): ModelConfig {
  const model = (saved.model ?? saved) as ModelConfig; // which the model itself checks
  if (!Number.isInteger(model.vocabulary) || !Number.isInteger(model.dModel))
    throw new FinegrainError(
      `${CONFIG} is none of a run of finegrain: it has neither "model" nor the model's own fields`,
    );
  return model;
}

async function tokenizerOf(
  { tokenizer = "byte" }: JsonObject,
  read: () => Promise<Uint8Array | undefined>,
): Promise<Tokenizer> {
  if (tokenizer === "byte") return byteTokenizer();
  const json = await read();
  if (json === undefined) throw new FinegrainError(`the model has a tokenizer of its own: drop its ${TOKENIZER} too`);
  return huggingFaceTokenizer(textOf(json), TOKENIZER);
}

/** The folder of the run that a checkpoint is of, with a slash behind it; the checkpoint's own where it is in none. */
function runOf(place: string): string {
  const [, run = place] = new RegExp(`^(.*)${RUN_FILES.checkpoints}/[^/]*/$`).exec(place) ?? [];
  return run;
}

/** The folder of the checkpoint, with a slash behind it: the one that `latest` names, or the only one that there is. */
async function checkpointPlace(paths: readonly string[], read: Folder["read"]): Promise<string> {
  const { latest } = CHECKPOINT_POINTERS;
  const pointer = paths.find((path) => path === latest || path.endsWith(`/${latest}`));
  const named = pointer && (await read(pointer));
  const place = named ? `${pointer!.slice(0, -latest.length)}${textOf(named).trim()}/` : undefined;
  const weights = paths.filter((path) => path.endsWith(WEIGHTS)).map((path) => path.slice(0, -WEIGHTS.length));
  const found = weights.find((folder) => folder === place) ?? weights[0];
  if (found === undefined)
    throw new FinegrainError(`there is no ${WEIGHTS} here: drop a run folder, its zip, or ${CONFIG} and ${WEIGHTS}`);
  return found;
}

async function folderOf(source: ModelSource): Promise<Pick<Folder, "read" | "list">> {
  switch (source.kind) {
    case "trained":
      return openFolder(source.name);
    case "files":
      return folderOfFiles(source.files);
    case "folder":
      return {
        list: async () => [CONFIG, WEIGHTS],
        async read(path) {
          const response = await fetch(`${source.url}/${path}`);
          if (!response.ok)
            throw new FinegrainError(`${source.url}/${path} is not there: the server says ${response.status}`);
          return new Uint8Array(await response.arrayBuffer());
        },
      };
  }
}

async function folderOfFiles(files: readonly DroppedFile[]): Promise<Folder> {
  const folder = memoryFolder();
  for (const { path, file } of files) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    if (!path.endsWith(".zip")) await folder.write(path, bytes);
    else for (const [name, content] of Object.entries(unzipSync(bytes))) await folder.write(name, content);
  }
  return folder;
}
