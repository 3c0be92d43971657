import type { HostTensor, TensorType } from "@finegrain/graph";
import type { PackedInt4 } from "@finegrain/nn";

/** Tensors in the files of a model that others made, by their names there. */
export interface TensorSource {
  /** What to call it in an error. */
  readonly path: string;
  /** All float32, whatever they are stored as. */
  readonly types: ReadonlyMap<string, TensorType>;
  /** @throws FinegrainError where it is stored as something that cannot be read, or the file is cut short. */
  read(name: string): Promise<HostTensor>;
  /** The numbers of a tensor that is stored in groups of 4 bits, as nn's int4 has them; undefined where it is not. Left out where none is. */
  readInt4?(name: string): Promise<PackedInt4 | undefined>;
}
