import { fastGelu, gelu, relu, silu, type Tensor } from "@finegrain/graph";

/** Element-wise non-linearities of a feed-forward layer. `fastGelu` is the tanh approximation. */
export const activations = { relu, gelu, fastGelu, silu } satisfies Record<string, (x: Tensor) => Tensor>;

export type Activation = keyof typeof activations;

export const activationNames = ["relu", "gelu", "fastGelu", "silu"] as const satisfies readonly Activation[];
