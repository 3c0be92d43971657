/*
 * What the files of a run are called, wherever it is kept: in a folder on a disk, or in a page's own storage.
 *
 * runs/<name>/
 *   config.json        what the run was started with
 *   metrics.jsonl      a line for every step and every evaluation
 *   tokenizer.json     where the tokenizer was made from one
 *   checkpoints/
 *     latest                  the name of the newest whole checkpoint
 *     best                    the name of the best, where they were judged
 *     step-000123/
 *       model.safetensors  optimizer.safetensors  config.json  state.json
 *       tokenizer.json        so that the folder can be copied alone
 */
export const RUN_FILES = {
  config: "config.json",
  metrics: "metrics.jsonl",
  tokenizer: "tokenizer.json",
  checkpoints: "checkpoints",
} as const;

/** Of the folder of checkpoints: files that name one of them. */
export const CHECKPOINT_POINTERS = { latest: "latest", best: "best" } as const;

/** Of one checkpoint. */
export const CHECKPOINT_FILES = {
  model: "model.safetensors",
  optimizer: "optimizer.safetensors",
  config: RUN_FILES.config,
  state: "state.json",
  tokenizer: RUN_FILES.tokenizer,
} as const;

const NAME = /^step-(\d{6,})(?:-(\d+))?$/;

/**
 * The folder of a step's checkpoint. A second one of the same step gets a number, so that the first is never in the way of being replaced.
 * @param taken names of those that are there.
 */
export function checkpointName(step: number, taken: readonly string[]): string {
  const name = `step-${String(step).padStart(6, "0")}`;
  let unused = name;
  for (let n = 2; taken.includes(unused); n++) unused = `${name}-${n}`;
  return unused;
}

/** The step of a checkpoint's folder, and which it is of those of that step; undefined where the name is none of a checkpoint. */
export function checkpointPlace(name: string): readonly [step: number, number: number] | undefined {
  const found = NAME.exec(name);
  return found ? [Number(found[1]), Number(found[2] ?? 1)] : undefined;
}
