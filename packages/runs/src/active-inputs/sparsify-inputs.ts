import type { Backend } from "@finegrain/graph";
import { ofOthers } from "../config.ts";
import { writeFileAtomically } from "../folder/atomic-file.ts";
import { makeWholeFolder } from "../folder/atomic-folder.ts";
import { saveCheckpoint } from "../folder/checkpoint.ts";
import { runPaths } from "../folder/run-folder.ts";
import { corpusOf, type Evaluation, evaluateHeldOut } from "../held-out.ts";
import { openRun, type Run } from "../run.ts";
import type { Text } from "../text/text.ts";
import { tokenizerJson } from "../tokenizer.ts";
import { type FindActiveInputsOptions, type FoundActiveInputs, findActiveInputs } from "./find.ts";

export interface SparsifyInputsOptions extends Pick<FindActiveInputsOptions, "loss" | "signal" | "onProgress"> {
  readonly backend: Backend;
  /** The run folder to make. */
  readonly out: string;
  readonly data: Text;
  /** Batches of held-out text that both models are judged by. Default: all. */
  readonly batches?: number;
}

/** A run of the same weights whose small inputs do not count, and how well both models predict the held-out text. */
export interface SparsifiedInputs extends Pick<FoundActiveInputs, "share"> {
  /** The caller closes it. */
  readonly run: Run;
  readonly before: Evaluation;
  readonly after: Evaluation;
}

/**
 * Make a run of another one, without training: the same weights, and a config that says which inputs of dense matrices count. The folder is
 * written aside and renamed, so that it is whole or not there.
 *
 * @throws FinegrainError as {@link findActiveInputs}, and where the folder is not empty.
 */
export async function sparsifyInputs(run: Run, options: SparsifyInputsOptions): Promise<SparsifiedInputs> {
  const { backend, out, data, batches, signal } = options;
  const { tokenizer, config, model } = run;
  const corpus = await corpusOf(data, tokenizer, { ...(signal && { signal }) });
  const weights = await run.weights();
  const { activeInputs, share } = await findActiveInputs({ ...options, model: model.config, weights, corpus });
  const made = { model: { ...model.config, activeInputs }, tokenizer: tokenizer.name, ...ofOthers(config) };
  const json = tokenizerJson(tokenizer);
  await makeWholeFolder(out, async (aside) => {
    const paths = runPaths(aside);
    const content = { step: 0, model: weights, optimizer: new Map(), config: made, state: {}, tokenizer: json };
    await saveCheckpoint(paths.checkpoints, content);
    await writeFileAtomically(paths.config, `${JSON.stringify(made, null, 2)}\n`);
    if (json !== undefined) await writeFileAtomically(paths.tokenizer, json);
  });
  const sparse = await openRun(out, { backend });
  const judged = (of: Run): Promise<Evaluation> =>
    evaluateHeldOut({
      ...{ backend, model: of.model, weights, corpus, length: config.training.length },
      ...(batches !== undefined && { batches }),
      ...(signal && { signal }),
    });
  return { run: sparse, share, before: await judged(run), after: await judged(sparse) };
}
