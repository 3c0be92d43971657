import {
  type Buffer as DeviceBuffer,
  FinegrainError,
  type HostTensor,
  shownJson,
  type TensorType,
} from "@finegrain/graph";
import { type SafetensorsEntry, safetensorsChunks } from "@finegrain/nn";
import type { FileContent } from "./atomic-file.ts";
import { CHECKPOINT_FILES } from "./run-files.ts";

/*
 * What the files of a checkpoint hold, wherever they are kept: a folder on a disk, or a page's own storage.
 */

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
  /** The tokenizer.json that the tokenizer was made from. */
  readonly tokenizer?: string | undefined;
}

/** The files of a checkpoint by name, in the order in which they are written. Tensors are read when their file is. */
export function checkpointFiles(content: CheckpointContent): ReadonlyMap<string, FileContent> {
  const { step, model, optimizer, config, state, tokenizer } = content;
  return new Map<string, FileContent>([
    [CHECKPOINT_FILES.model, chunks(model)],
    [CHECKPOINT_FILES.optimizer, chunks(optimizer)],
    ...(tokenizer === undefined ? [] : [[CHECKPOINT_FILES.tokenizer, tokenizer] as const]),
    [CHECKPOINT_FILES.config, json(config)],
    [CHECKPOINT_FILES.state, json({ step, state })],
  ]);
}

/**
 * What a checkpoint's state.json says.
 * @throws FinegrainError where that is no state.
 */
export function savedState(value: unknown, path: string): { step: number; state: unknown } {
  const { step, state } = (value ?? {}) as Record<string, unknown>; // any JSON but null has fields, if only undefined ones
  if (!Number.isInteger(step)) {
    throw new FinegrainError(`${path} is broken: its step must be a whole number, not ${shownJson(step)}`);
  }
  return { step: step as number, state };
}

/**
 * Types of a safetensors file's tensors, by name.
 * @throws FinegrainError where a dtype is none that a checkpoint has.
 */
export const savedTypes = (
  entries: ReadonlyMap<string, SafetensorsEntry>,
  path: string,
): ReadonlyMap<string, TensorType> =>
  new Map(
    [...entries].map(([name, { type, stored }]): [string, TensorType] => {
      if (type === undefined)
        throw new FinegrainError(`${path}: tensor "${name}" has the dtype "${stored}", which no checkpoint has`);
      return [name, type];
    }),
  );

function chunks(tensors: ReadonlyMap<string, SavedTensor>): AsyncIterable<Uint8Array> {
  const types = new Map([...tensors].map(([name, saved]) => [name, "type" in saved ? saved.type : saved]));
  return safetensorsChunks(types, (name) => {
    const saved = tensors.get(name)!;
    return "type" in saved ? saved.read() : saved;
  });
}

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
