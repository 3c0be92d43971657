import type { HostTensor, Tensor, TensorType } from "@finegrain/graph";
import type { Param } from "../layer.ts";

/** The parts of a weight that is kept in fewer bits, by what their paths end in: "" is its own path. */
export type Parts<V> = Readonly<Record<string, V>>;

/** A way to keep a large weight. */
export interface Form {
  /** Whether a weight has a shape for it. Default: all do. */
  fits?(parameter: Param): boolean;
  types(parameter: Param): Parts<TensorType>;
  /** @param value float32, of the parameter's shape. @returns a value for each of the types. */
  store(value: HostTensor, parameter: Param): Parts<HostTensor>;
  /** The weight, float32, in a graph that is given the parts. */
  restore(parts: Parts<Tensor>, parameter: Param): Tensor;
}
