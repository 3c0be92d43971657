import { access, copyFile, mkdir, readdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Tokenizer } from "@finegrain/generate";
import { FinegrainError } from "@finegrain/graph";
import { type LanguageModel, matchTensors, paramTypes, scalingLM } from "@finegrain/nn";
import { openTokenizer } from "./corpus.ts";
import { type Checkpoint, openCheckpoint } from "./folder/checkpoint.ts";
import { checkRunConfig, type RunConfig } from "./run-config.ts";

/*
 * runs/<name>/
 *   config.json        what the run was started with
 *   metrics.jsonl      a line for every step and every evaluation
 *   tokenizer.json     where the tokenizer is not "byte"
 *   checkpoints/       see saveCheckpoint in @finegrain/train
 */
export const runPaths = (folder: string) => ({
  config: join(folder, "config.json"),
  metrics: join(folder, "metrics.jsonl"),
  tokenizer: join(folder, "tokenizer.json"),
  checkpoints: join(folder, "checkpoints"),
});

/**
 * Refuse a folder that is there and not empty: no run overwrites another.
 * @throws FinegrainError with what to do instead.
 */
export async function checkUnused(folder: string): Promise<void> {
  const entries = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw new FinegrainError(`cannot make the run folder ${folder}: ${error.message}`);
  });
  if (entries.length > 0)
    throw new FinegrainError(
      `${folder} is not empty (${entries.length} entries): choose another --out, or go on with --resume ${folder}`,
    );
}

/**
 * Make the folder of a new run, with its config and tokenizer.
 * @throws FinegrainError as {@link checkUnused}.
 */
export async function makeRunFolder(folder: string, config: RunConfig): Promise<void> {
  await checkUnused(folder);
  await mkdir(folder, { recursive: true });
  const paths = runPaths(folder);
  await writeFile(paths.config, `${JSON.stringify(config, null, 2)}\n`);
  if (config.tokenizer !== "byte") await copyFile(config.tokenizer, paths.tokenizer);
}

/** The first of `folder`, `folder-2`, `folder-3`, ... that is not there. */
export async function unusedFolder(folder: string): Promise<string> {
  for (let n = 1; ; n++) {
    const path = n === 1 ? folder : `${folder}-${n}`;
    if (!(await exists(path))) return path;
  }
}

/**
 * The tokenizer.json of a checkpoint: beside its files, or in the folder of its run, runs/<name>/checkpoints/<step>.
 * @throws FinegrainError where the checkpoint was copied without it.
 */
async function tokenizerFile(checkpoint: string): Promise<string> {
  const run = dirname(dirname(resolve(checkpoint)));
  for (const folder of [checkpoint, run]) {
    const { tokenizer } = runPaths(folder);
    if (await exists(tokenizer)) return tokenizer;
  }
  throw new FinegrainError(
    `the checkpoint ${checkpoint} is without its tokenizer: copy the tokenizer.json of its run into that folder`,
  );
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** A run whose model can be used: its config, its newest checkpoint, or the one that was asked for, and its tokenizer. */
export interface OpenRun {
  readonly config: RunConfig;
  readonly checkpoint: Checkpoint;
  readonly tokenizer: Tokenizer;
  readonly model: LanguageModel;
}

/**
 * Open a trained run: a run folder, its folder of checkpoints, or one checkpoint.
 *
 * @throws FinegrainError where there is none, a file is cut short, or config and checkpoint do not fit.
 */
export async function openRun(path: string): Promise<OpenRun> {
  const own = runPaths(path);
  const isRun = await exists(own.checkpoints);
  const checkpoint = await openCheckpoint(isRun ? own.checkpoints : path);
  const config = checkRunConfig(checkpoint.config, join(checkpoint.path, "config.json"));
  const model = scalingLM(config.model);
  matchTensors(checkpoint.modelTypes, paramTypes(model.params), checkpoint.path);
  const tokenizer = await openTokenizer(config.tokenizer === "byte" ? "byte" : await tokenizerFile(checkpoint.path));
  if (tokenizer.vocabularySize > config.model.vocabulary)
    throw new FinegrainError(
      `the tokenizer of ${checkpoint.path} has ${tokenizer.vocabularySize} tokens, more than the model's vocabulary of ${config.model.vocabulary}`,
    );
  return { config, checkpoint, tokenizer, model };
}
