import { add, mul, type Tensor, type TensorType } from "@finegrain/graph";
import { type Context, evaluation } from "../context.ts";
import type { CachedLayer, Params, Weights } from "../layer.ts";
import { dropping, together } from "./block.ts";
import { type DenseParams, dense } from "./projections/dense.ts";
import { reversibleSerial, type Streams } from "./reversible.ts";

export type ReversibleStackParams = {
  /** Blocks by number: "0", "1", ... */
  readonly blocks: Readonly<Record<string, Params>>;
  /** By number; absent where nothing is forgotten. */
  readonly forget?: Readonly<Record<string, DenseParams>>;
};

export interface ReversibleStackConfig {
  readonly dModel: number;
  readonly layers: number;
  /** After so many blocks, as long as more than one is left beside as many, both streams become one again. Default: never. */
  readonly forgetEvery?: number | undefined;
  /** Of what each branch adds. Default 0. */
  readonly dropout?: number | undefined;
}

type Caches<V> = Readonly<Record<string, Readonly<Record<string, V>>>>;

/** Blocks that two streams go through. */
export interface ReversibleStack {
  readonly params: ReversibleStackParams;
  apply(w: Weights<ReversibleStackParams>, streams: Streams, context: Context): Streams;
  /** By the numbers of blocks. */
  caches(batch: number, capacity: number): Caches<TensorType>;
  /** The next vectors, float32 [batch, new, dModel], at the place `position`, int32 []. */
  decode(
    w: Weights<ReversibleStackParams>,
    streams: Streams,
    caches: Caches<Tensor>,
    position: Tensor,
  ): { readonly streams: Streams; readonly caches: Caches<Tensor> };
}

/** What the streams have in common, float32 [batch, time, dModel]. */
export const meanOf = ([x1, x2]: Streams): Tensor => mul(add(x1, x2), 0.5);

/**
 * Blocks of the same branches over two streams, through which training keeps nothing: see {@link reversibleSerial}. Where streams are
 * forgotten, both become a dense layer of their mean, and what is before it is kept. Trax `ReversibleSerial` of Terraformer's blocks.
 */
export function reversibleStack(
  whole: readonly CachedLayer[],
  { dModel, layers, forgetEvery, dropout = 0 }: ReversibleStackConfig,
): ReversibleStack {
  const branches = whole.map((branch) => dropping(branch, dropout));
  const names = Array.from({ length: layers }, (_, i) => `${i}`);
  const runs = inRuns(names, forgetEvery);
  const forgetting = dense({ dIn: dModel, dOut: dModel });
  const forgets = runs.slice(1).map((_, i): [string, DenseParams] => [`${i}`, forgetting.params]);
  type W = Weights<ReversibleStackParams>;

  /** One run after the other, and between them what is forgotten. */
  const alongRuns = (
    w: W,
    streams: Streams,
    context: Context,
    go: (run: readonly string[], both: Streams) => Streams,
  ) =>
    runs.reduce((both, run, i) => {
      if (i === 0) return go(run, both);
      const one = forgetting.apply(w.forget![`${i - 1}`]!, meanOf(both), context);
      return go(run, [one, one]);
    }, streams);

  return {
    params: {
      blocks: Object.fromEntries(names.map((name) => [name, together(branches.map(({ params }) => params))])),
      ...(forgets.length > 0 ? { forget: Object.fromEntries(forgets) } : {}),
    },
    apply: (w, streams, context) =>
      alongRuns(w, streams, context, (run, both) => {
        const all = run.flatMap((name) => branches.map((branch) => ({ branch, own: ownOf(branch, w.blocks[name]!) })));
        const weights = Object.fromEntries(all.map(({ own }, i) => [`${i}`, own]));
        return reversibleSerial(all.map(({ branch }) => branch)).apply(weights, both, context);
      }),
    caches: (batch, capacity) =>
      Object.fromEntries(
        names.map((name) => [name, together(branches.map((branch) => branch.caches(batch, capacity)))]),
      ),
    decode(w, streams, caches, position) {
      const next: Record<string, Record<string, Tensor>> = {};
      const last = alongRuns(w, streams, evaluation, (run, both) => {
        let [x1, x2] = both;
        for (const name of run)
          for (const branch of branches) {
            const step = branch.decode(w.blocks[name]!, x2, caches[name]!, position);
            [x1, x2] = [x2, add(x1, step.y)];
            next[name] = { ...next[name], ...step.caches };
          }
        return [x1, x2];
      });
      return { streams: last, caches: next };
    },
  };
}

/** Trax `_ReversibleSerialForget`. */
function inRuns(names: readonly string[], every: number | undefined): (readonly string[])[] {
  if (every === undefined || names.length <= every + 1) return [names];
  return [names.slice(0, every), ...inRuns(names.slice(every), every)];
}

/** A branch's own weights of those of its block. */
const ownOf = ({ params }: CachedLayer, w: Weights<Params>): Weights<Params> =>
  Object.fromEntries(Object.keys(params).map((name) => [name, w[name]!]));
