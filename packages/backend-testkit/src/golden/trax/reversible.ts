import { relu, type Tensor } from "@finegrain/graph";
import {
  type Context,
  type DenseParams,
  dense,
  type Layer,
  layerNorm,
  type Params,
  reversibleSerial,
  type Weights,
} from "@finegrain/nn";
import { type Given, under } from "../given.ts";
import { denseWeights, normWeights } from "./weights.ts";

/** A residual branch, and where its weights come from. */
export interface Branch {
  readonly layer: Layer;
  readonly w: Weights<Params>;
}

/** A layer behind a LayerNorm. */
export function normed(given: Given, norm: string, layer: Layer, w: Weights<Params>): Branch {
  const dModel = given.input(0).shape.at(-1)!;
  const before = layerNorm({ dModel });
  return {
    layer: {
      params: { norm: before.params, layer: layer.params },
      // The two that are put in below.
      apply(own: Weights<Params>, x: Tensor, context: Context) {
        const { norm, layer: inner } = own as { norm: Weights<typeof before.params>; layer: Weights<Params> };
        return layer.apply(inner, before.apply(norm, x, context), context);
      },
    },
    w: { norm: normWeights(under(given, norm)), layer: w },
  };
}

/** Both streams behind the branches, each followed by a swap. */
export function reversibleStreams(given: Given, branches: readonly Branch[], context = given.context) {
  const serial = reversibleSerial(branches.map(({ layer }) => layer));
  const w = Object.fromEntries(branches.map(({ w }, i) => [`${i}`, w]));
  return serial.apply(w, [given.input(0), given.input(1)], context);
}

/** Branches of LayerNorm, dense and relu, "0.norm", "0.dense" and so on. */
export function reversibleSerialCase(given: Given): readonly Tensor[] {
  given.arguments.any("block");
  const dModel = given.arguments.number("d_model");
  const plain = dense({ dIn: dModel, dOut: dModel });
  const layer: Layer<DenseParams> = { ...plain, apply: (w, x, context) => relu(plain.apply(w, x, context)) };
  const count = new Set(given.weightNames().map((name) => name.split(".", 1)[0])).size;
  return reversibleStreams(
    given,
    Array.from({ length: count }, (_, i) =>
      normed(given, `${i}.norm.`, layer as Layer, { ...denseWeights(given, `${i}.dense`) }),
    ),
  );
}
