import type { HostTensor, TensorType } from "@finegrain/graph";

/** Tensors in the files of a model that others made, by their names there. */
export interface TensorSource {
  /** What to call it in an error. */
  readonly path: string;
  /** All float32, whatever they are stored as. */
  readonly types: ReadonlyMap<string, TensorType>;
  /** @throws FinegrainError where it is stored as something that cannot be read, or the file is cut short. */
  read(name: string): Promise<HostTensor>;
}
