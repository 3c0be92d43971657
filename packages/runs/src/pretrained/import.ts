import { FinegrainError } from "@finegrain/graph";
import { writeFileAtomically } from "../folder/atomic-file.ts";
import { makeWholeFolder } from "../folder/atomic-folder.ts";
import { saveCheckpoint } from "../folder/checkpoint.ts";
import { runPaths } from "../folder/run-folder.ts";
import { openPretrained, type Pretrained } from "./pretrained.ts";

export interface ImportOptions {
  /** The run folder to make. */
  readonly out: string;
}

/**
 * Make a run folder of a model that others trained (see {@link openPretrained}): `openRun` opens it, to write and to be judged. The folder
 * is written aside and renamed, so that it is whole or not there.
 *
 * @returns the model that was imported.
 * @throws FinegrainError as `openPretrained`, and where the folder is not empty.
 */
export async function importPretrained(path: string, { out }: ImportOptions): Promise<Pretrained> {
  const pretrained = await openPretrained(path);
  const { model, tokenizer, tensors, specialTokens, chatTemplate } = pretrained;
  const config = { model, tokenizer: tokenizer.name, specialTokens, chatTemplate };
  const { json } = tokenizer;
  if (json === undefined) throw new FinegrainError(`the tokenizer of ${path} has no tokenizer.json to be kept`);
  await makeWholeFolder(out, async (aside) => {
    const paths = runPaths(aside);
    const content = { step: 0, model: tensors, optimizer: new Map(), config, state: {}, tokenizer: json };
    await saveCheckpoint(paths.checkpoints, content);
    await writeFileAtomically(paths.config, `${JSON.stringify(config, null, 2)}\n`);
    await writeFileAtomically(paths.tokenizer, json);
  });
  return pretrained;
}
