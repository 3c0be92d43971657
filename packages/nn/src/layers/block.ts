import { add, type Tensor } from "@finegrain/graph";
import { evaluation } from "../context.ts";
import type { CachedLayer, DecodedLayer, Layer, Params, Weights } from "../layer.ts";
import { dropout } from "./dropout.ts";
import type { RecurrentBranchParams } from "./recurrence/recurrent-branch.ts";

/*
 * Residual branches, and what is made of them. The branches of a block have weights and caches of different names: each takes its own
 * out of the block's.
 */

export type FeedForwardBranchParams = {
  readonly feedForwardNorm: Params;
  readonly feedForward: Params;
  /** Absent where nothing is beside the feed-forward layer. */
  readonly recurrence?: RecurrentBranchParams;
};
/** Of an attention called "attention"; others have their own names. */
export type AttentionBranchParams = {
  readonly attentionNorm: Params;
  readonly attention: Params;
};
export type BlockParams = FeedForwardBranchParams & AttentionBranchParams;

/** What a block has after its attention. */
export interface FeedForwardParts {
  readonly norm: Layer;
  readonly feedForward: Layer | DecodedLayer;
  /** What is added to the feed-forward layer's output. */
  readonly recurrence?: CachedLayer<RecurrentBranchParams> | undefined;
}

/** What a layer without caches decodes: its output in evaluation, where it has no decode of its own. */
export const decodedBy = (layer: Layer | DecodedLayer, w: Weights<Params>, x: Tensor): Tensor =>
  "decode" in layer ? layer.decode(w, x) : layer.apply(w, x, evaluation);

/** feedForward(norm(x)), and beside it recurrence(x): a residual branch of tokens by themselves, which may remember earlier ones. */
export function feedForwardBranch(parts: FeedForwardParts): CachedLayer<FeedForwardBranchParams> {
  const { norm, feedForward, recurrence } = parts;
  const decoded = (w: Weights<Params>, x: Tensor): Tensor => decodedBy(feedForward, w, x);
  return {
    params: {
      feedForwardNorm: norm.params,
      feedForward: feedForward.params,
      ...(recurrence ? { recurrence: recurrence.params } : {}),
    },
    apply(w, x, context) {
      const normal = norm.apply(w.feedForwardNorm, x, context);
      const { asDecoded = false } = context;
      const y = asDecoded ? decoded(w.feedForward, normal) : feedForward.apply(w.feedForward, normal, context);
      return recurrence ? add(y, recurrence.apply(w.recurrence!, x, context)) : y;
    },
    caches: (batch, capacity) => recurrence?.caches(batch, capacity) ?? {},
    decode(w, x, caches, position) {
      const y = decoded(w.feedForward, norm.apply(w.feedForwardNorm, x, evaluation));
      if (!recurrence) return { y, caches: {} };
      const beside = recurrence.decode(w.recurrence!, x, caches, position);
      return { y: add(y, beside.y), caches: beside.caches };
    },
  };
}

/**
 * attention(norm(x)): a residual branch. Its weights are `NAMENorm` and `NAME`, and its caches begin with `NAME.`.
 *
 * @param attention one without caches decodes as it is applied.
 */
export function attentionBranch<const N extends string = "attention">(
  norm: Layer,
  attention: Layer | CachedLayer,
  name = "attention" as N,
): CachedLayer<{ readonly [K in N | `${N}Norm`]: Params }> {
  type Own = { readonly [K in N | `${N}Norm`]: Params };
  const cached = "caches" in attention ? attention : undefined;
  const behind = (prefix: string, cache: string) => `${prefix}.${cache}`;
  // The two names that are put together here, which types of computed keys do not follow.
  const params = { [`${name}Norm`]: norm.params, [name]: attention.params } as Own;
  const part = (w: Weights<Own>, which: N | `${N}Norm`) => (w as Readonly<Record<string, Weights<Params>>>)[which]!;
  const normal = (w: Weights<Own>, x: Tensor, context = evaluation) => norm.apply(part(w, `${name}Norm`), x, context);
  return {
    params,
    apply: (w, x, context) => attention.apply(part(w, name), normal(w, x, context), context),
    caches: (batch, capacity) => renamed(cached?.caches(batch, capacity) ?? {}, (cache) => behind(name, cache)),
    decode(w, x, caches, position) {
      if (!cached) return { y: attention.apply(part(w, name), normal(w, x), evaluation), caches: {} };
      const own = Object.entries(caches).filter(([cache]) => cache.startsWith(behind(name, "")));
      const given = renamed(Object.fromEntries(own), (cache) => cache.slice(behind(name, "").length));
      const step = cached.decode(part(w, name), normal(w, x), given, position);
      return { y: step.y, caches: renamed(step.caches, (cache) => behind(name, cache)) };
    },
  };
}

const renamed = <V>(record: Readonly<Record<string, V>>, name: (key: string) => string): Readonly<Record<string, V>> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [name(key), value]));

/** The weights, or caches, of all branches as one. Their names differ. */
export const together = <V>(parts: readonly Readonly<Record<string, V>>[]): Readonly<Record<string, V>> =>
  Object.assign({}, ...parts) as Readonly<Record<string, V>>; // of parts of this type

/** A branch of whose output a part is dropped in training: see {@link dropout}. */
export const dropping = (branch: CachedLayer, rate: number): CachedLayer =>
  rate === 0
    ? branch
    : { ...branch, apply: (w, x, context) => dropout(branch.apply(w, x, context), context, { rate }) };

/** x + branch(x), branch after branch. @param rate of dropout of what each adds. */
export function residual(all: readonly CachedLayer[], rate = 0): CachedLayer {
  const branches = all.map((branch) => dropping(branch, rate));
  return {
    params: together(branches.map(({ params }) => params)),
    apply: (w, x, context) => branches.reduce((h, branch) => add(h, branch.apply(w, h, context)), x),
    caches: (batch, capacity) => together(branches.map((branch) => branch.caches(batch, capacity))),
    decode(w, x, caches, position) {
      let h = x;
      const next = branches.map((branch) => {
        const step = branch.decode(w, h, caches, position);
        h = add(h, step.y);
        return step.caches;
      });
      return { y: h, caches: together(next) };
    },
  };
}

/**
 * A pre-norm Transformer block of two residual branches:
 *
 *   h = x + attention(norm(x));  y = h + feedForward(norm(h))
 */
export const block = (
  parts: FeedForwardParts & { readonly attention: CachedLayer; readonly dropout?: number | undefined },
): CachedLayer<BlockParams> =>
  residual(
    [attentionBranch(parts.norm, parts.attention), feedForwardBranch(parts)] as readonly CachedLayer[],
    parts.dropout,
  ) as CachedLayer<BlockParams>; // whose weights are those of the two
