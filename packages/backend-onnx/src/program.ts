import type { ListGraph, TensorType } from "@finegrain/graph";

/** A tensor in the host's memory, which is ONNX Runtime's on a CPU. */
export type Numbers = Float32Array | Int32Array | Uint8Array;

/** A model input: a graph input's numbers under a shape of its own, or a random draw of the host. */
export type Feed = { readonly name: string; readonly type: TensorType } & (
  | { readonly input: number }
  | { readonly draw: Draw }
);

/** As many numbers of the host's Philox; key and counter are outputs of the host graph. */
export interface Draw {
  readonly key: number;
  readonly counter: number;
  readonly uniform: boolean;
}

/** Where a graph output comes from after a run. */
export type Result = { readonly type: TensorType } & (
  | { readonly kind: "output"; readonly name: string }
  | { readonly kind: "empty" }
  | ({ readonly kind: "patch"; readonly name: string } & Patch)
);

/** Rows that the host writes into the array of a donated input, which becomes the output's. */
export interface Patch {
  readonly input: number;
  readonly axis: number;
  readonly rows: TensorType;
  /** Which output of the host graph says where they go. */
  readonly start: number;
}

/** A graph as ONNX Runtime runs it, and what the host does around a run. */
export interface Program {
  /** Absent where every output is empty. */
  readonly model: Uint8Array | undefined;
  readonly feeds: readonly Feed[];
  readonly results: readonly Result[];
  /** Small integers that the host computes before a run: starts, keys and counters. */
  readonly host: { readonly graph: ListGraph; readonly inputs: readonly number[] };
}
