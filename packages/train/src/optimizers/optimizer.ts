import type { Shape, Tensor, TensorType } from "@finegrain/graph";

/** What an optimizer keeps of one parameter between steps, by names such as "m". */
export type Slots<V> = Readonly<Record<string, V>>;

/** A rule that moves one parameter, as a part of the train step's graph. */
export interface Optimizer {
  /** As a run's config calls it. */
  readonly name: string;
  /**
   * Whether an element's update looks at nothing but this element of everything, so that a parameter may be updated in pieces, and its
   * slots have its shape. Default false.
   */
  readonly elementwise?: boolean;
  /** Types of the slots of a parameter of this shape. All start as zeros. */
  slots(param: { readonly shape: Shape }): Slots<TensorType>;
  /** One step. */
  update(step: OptimizerStep): { readonly param: Tensor; readonly slots: Slots<Tensor> };
}

export interface OptimizerStep {
  readonly param: Tensor;
  /** Of the shape of `param`. */
  readonly gradient: Tensor;
  /** Of the types that `slots` gave. */
  readonly slots: Slots<Tensor>;
  /** int32 []: steps done before this one. */
  readonly step: Tensor;
  /** float32 []. */
  readonly learningRate: Tensor;
}
