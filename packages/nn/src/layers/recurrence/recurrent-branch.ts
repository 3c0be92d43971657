import type { Tensor } from "@finegrain/graph";
import { evaluation } from "../../context.ts";
import type { CachedLayer, Layer, Params, Weights } from "../../layer.ts";
import { type DenseParams, dense } from "../projections/dense.ts";
import { sru } from "./sru.ts";

/** The recurrent units beside a block's feed-forward layer. */
export interface RecurrenceConfig {
  /** Simple recurrent units, one after the other. */
  readonly layers: number;
  /** Features of their states. */
  readonly units: number;
}

export type RecurrentBranchParams = {
  readonly norm: Params;
  readonly inner: DenseParams;
  /** By number: "0", "1", ... */
  readonly units: Readonly<Record<string, DenseParams>>;
  readonly outer: DenseParams;
};

/**
 * A narrow way beside the feed-forward layer of a block, on which tokens remember: norm, dense to `units`, simple recurrent units, dense
 * back. Jaszczur et al. 2021, section 4; Trax's `ff_use_sru`.
 *
 *   x  float32 [batch, time, dModel], as it comes into the block
 */
export function recurrentBranch(
  { dModel, layers, units }: RecurrenceConfig & { readonly dModel: number },
  norm: Layer,
): CachedLayer<RecurrentBranchParams> {
  const [inner, one, outer] = [
    dense({ dIn: dModel, dOut: units }),
    sru({ units }),
    dense({ dIn: units, dOut: dModel }),
  ];
  const names = Array.from({ length: layers }, (_, i) => `${i}`);
  const cacheOf = (name: string) => `state${name}`;
  return {
    params: {
      norm: norm.params,
      inner: inner.params,
      units: Object.fromEntries(names.map((name) => [name, one.params])),
      outer: outer.params,
    },
    apply(w, x, context) {
      const narrow = inner.apply(w.inner, norm.apply(w.norm, x, context), context);
      const found = names.reduce((h, name) => one.apply(w.units[name]!, h, context), narrow);
      return outer.apply(w.outer, found, context);
    },
    caches: (batch, capacity) =>
      Object.fromEntries(names.map((name) => [cacheOf(name), one.caches(batch, capacity).state])),
    decode(w: Weights<RecurrentBranchParams>, x, caches, position) {
      let h = inner.apply(w.inner, norm.apply(w.norm, x, evaluation), evaluation);
      const next: Record<string, Tensor> = {};
      for (const name of names) {
        const step = one.decode(w.units[name]!, h, { state: caches[cacheOf(name)]! }, position);
        h = step.y;
        next[cacheOf(name)] = step.caches.state;
      }
      return { y: outer.apply(w.outer, h, evaluation), caches: next };
    },
  };
}
