import { concat, constant, gather, pad, reshape, slice, type Tensor, type TensorType } from "@finegrain/graph";

/** What a locally convolutional layer sees around each of its outputs. */
export interface WindowConfig {
  /** S: modules that the features are cut into. */
  readonly modules: number;
  /** Neighbouring modules that are seen, the own one in their middle. Odd. */
  readonly kernel: number;
  /** Tokens that are seen, the own one last. */
  readonly lengthKernel: number;
}

/** At most as many rows are gathered one by one: where one token is decoded, that is a single node. */
const GATHERED_ROWS = 4096;

/**
 * The window of every module of the last `time` tokens, zeros beyond the outer modules.
 *
 *   x        float32  [batch, lengthKernel - 1 + time, modules · width]
 *   returns  float32  [batch, time, modules, lengthKernel · kernel · width]    tokens outermost, features innermost
 */
export function moduleWindows(x: Tensor, { modules, kernel, lengthKernel }: WindowConfig): Tensor {
  const [batch, length, features] = x.shape as [number, number, number];
  const time = length - lengthKernel + 1;
  const width = features / modules;
  const seen = lengthKernel * kernel;
  if (seen === 1) return reshape(x, [batch, time, modules, width]);
  const rows = batch * time * modules * seen;
  const windows = time === 1 && rows <= GATHERED_ROWS ? gathered : joined;
  return windows(reshape(x, [batch, length, modules, width]), { modules, kernel, lengthKernel });
}

/** By rows: x [batch, length, modules, width]; a row of zeros stands for what is beyond the outer modules. */
function gathered(x: Tensor, { modules, kernel, lengthKernel }: WindowConfig): Tensor {
  const [batch, length, , width] = x.shape as [number, number, number, number];
  const time = length - lengthKernel + 1;
  const beyond = batch * length * modules;
  const half = (kernel - 1) / 2;
  const indices: number[] = [];
  for (let row = 0; row < batch * time; row++)
    for (let s = 0; s < modules; s++)
      for (let a = 0; a < lengthKernel; a++)
        for (let b = 0; b < kernel; b++) {
          const module = s + b - half;
          const token = Math.floor(row / time) * length + (row % time) + a;
          indices.push(module < 0 || module >= modules ? beyond : token * modules + module);
        }
  const flat = reshape(x, [beyond, width]);
  const table = kernel === 1 ? flat : pad(flat, { low: [0, 0], high: [1, 0] });
  const picked = gather(table, constant({ dtype: "int32", shape: [indices.length], data: indices }));
  return reshape(picked, [batch, time, modules, lengthKernel * kernel * width]);
}

/** By shifted copies, first along the modules, then along time. */
function joined(x: Tensor, { modules, kernel, lengthKernel }: WindowConfig): Tensor {
  const time = x.shape[1]! - lengthKernel + 1;
  const half = (kernel - 1) / 2;
  const padded = kernel === 1 ? x : pad(x, { low: [0, 0, half, 0], high: [0, 0, half, 0] });
  return shifts(shifts(padded, 2, kernel, modules), 1, lengthKernel, time);
}

/** `count` slices of `extent` entries along `axis`, each starting one later, side by side along the features. */
function shifts(x: Tensor, axis: number, count: number, extent: number): Tensor {
  if (count === 1) return x;
  const parts = Array.from({ length: count }, (_, start) =>
    slice(x, {
      starts: x.shape.map((_, i) => (i === axis ? start : 0)),
      ends: x.shape.map((n, i) => (i === axis ? start + extent : n)),
    }),
  );
  return concat(...parts, { axis: 3 });
}

/** Zeros for the tokens before the first: [batch, time, features] -> [batch, lengthKernel - 1 + time, features]. */
export const padPast = (x: Tensor, lengthKernel: number): Tensor =>
  lengthKernel === 1 ? x : pad(x, { low: [0, lengthKernel - 1, 0], high: [0, 0, 0] });

/** The cache of a window over tokens under `name`: none where it sees the present alone. */
export const pastCaches = (
  name: string,
  batch: number,
  lengthKernel: number,
  features: number,
): Readonly<Record<string, TensorType>> =>
  lengthKernel === 1 ? {} : { [name]: { dtype: "float32", shape: [batch, lengthKernel - 1, features] } };

/** New tokens behind the `lengthKernel - 1` before them, and what the next step needs of both. */
export function withPast(
  name: string,
  x: Tensor,
  caches: Readonly<Record<string, Tensor>>,
  lengthKernel: number,
): { seen: Tensor; cache: Readonly<Record<string, Tensor>> } {
  if (lengthKernel === 1) return { seen: x, cache: {} };
  const seen = concat(caches[name]!, x, { axis: 1 });
  const [batch, length, features] = seen.shape as [number, number, number];
  const last = slice(seen, { starts: [0, length - lengthKernel + 1, 0], ends: [batch, length, features] });
  return { seen, cache: { [name]: last } };
}
