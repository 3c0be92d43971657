import { concat, reshape, type Tensor, transpose } from "@finegrain/graph";
import type {
  AttentionParams,
  BlockSparseFeedForwardParams,
  DenseParams,
  FeedForwardParams,
  FixedBasePositionsParams,
  LocallyConvolutionalDenseParams,
  LowRankDenseParams,
  MultiplicativeDenseParams,
  MultiplicativeModularDenseParams,
  OneOfEachBlockParams,
  RecurrentBranchParams,
  SelfAttentionParams,
  Weights,
} from "@finegrain/nn";
import { under as scoped, type WeightSource, zeros } from "../given.ts";

/*
 * Trax's weights as ours: each function takes the weights of one layer in Trax's order and lays them out as our layer
 * has them. The layout is part of the graph, so that gradients come back in Trax's own.
 */

/** "key" and "bias" as "key.bias"; a layer alone has no prefix. */
const under = (prefix: string, name: string): string => (prefix === "" ? name : `${prefix}.${name}`);

/** kernel [in, out] under `prefix` itself, bias under `prefix.bias`. */
export const denseWeights = (source: WeightSource, prefix: string): Weights<DenseParams> => ({
  kernel: source.take(prefix),
  bias: source.take(under(prefix, "bias")),
});

/** The dense layers of attention, as they come. */
export const attentionWeights = (source: WeightSource): Weights<AttentionParams<DenseParams>> => ({
  query: denseWeights(source, "query"),
  key: denseWeights(source, "key"),
  value: denseWeights(source, "value"),
  output: denseWeights(source, "output"),
});

export const normWeights = (source: WeightSource): Weights<{ scale: Tensor; bias: Tensor }> => ({
  scale: source.take("scale"),
  bias: source.take("bias"),
});

/** Trax's SRU beside a feed-forward layer: norm, dense, units, dense, as they come. */
export const recurrentWeights = (source: WeightSource, layers: number): Weights<RecurrentBranchParams> => ({
  norm: normWeights(scoped(source, "sru_norm.")),
  inner: denseWeights(source, "sru_in"),
  units: Object.fromEntries(Array.from({ length: layers }, (_, i) => [`${i}`, denseWeights(source, `sru${i}`)])),
  outer: denseWeights(source, "sru_out"),
});

export const lowRankWeights = (source: WeightSource, prefix: string): Weights<LowRankDenseParams> => ({
  down: denseWeights(source, under(prefix, "down")),
  up: denseWeights(source, under(prefix, "up")),
});

/** gating [S, d], projection [d, M], bias. */
export const multiplicativeWeights = (
  source: WeightSource,
  prefix: string,
  bias = true,
): Weights<MultiplicativeDenseParams> => ({
  gating: source.take(under(prefix, "gating")),
  projection: transpose(source.take(under(prefix, "projection")), [1, 0]),
  ...(bias ? { bias: source.take(under(prefix, "bias")) } : {}),
});

/** As {@link multiplicativeWeights}, with modular [S, M, M] before the bias. */
export const modularWeights = (source: WeightSource, prefix: string): Weights<MultiplicativeModularDenseParams> => ({
  gating: source.take(under(prefix, "gating")),
  projection: transpose(source.take(under(prefix, "projection")), [1, 0]),
  modular: source.take(under(prefix, "modular")),
  bias: source.take(under(prefix, "bias")),
});

/** kernel [length, modules, width, units], bias [units] under a name that is not always the kernel's. */
export function convolutionWeights(
  source: WeightSource,
  prefix: string,
  bias = under(prefix, "bias"),
): Weights<LocallyConvolutionalDenseParams> {
  const kernel = source.take(under(prefix, "kernel"));
  const [length, modules, width, units] = kernel.shape as [number, number, number, number];
  return { kernel: reshape(kernel, [length * modules * width, units]), bias: source.take(bias) };
}

/** kernel [S, modules, width, units] under `prefix` itself or as "kernel", bias [S, units]. */
export const connectedWeights = (
  source: WeightSource,
  prefix: string,
  bias = true,
): { kernel: Tensor; bias: Tensor } => {
  const kernel = source.take(prefix === "" ? "kernel" : prefix);
  const [modules, , , units] = kernel.shape as [number, number, number, number];
  return { kernel, bias: bias ? source.take(under(prefix, "bias")) : zeros([modules, units]) };
};

/** in [d, F], out [F, d]. */
export function feedForwardWeights(source: WeightSource): Weights<FeedForwardParams> {
  const inner = denseWeights(source, "in");
  return {
    inner: { kernel: inner.kernel, bias: inner.bias! },
    outer: { kernel: transpose(source.take("out"), [1, 0]), bias: source.take("out.bias") },
  };
}

/** in [d, G, N], out [N, G, d], controller.up [r, G, N]. */
export function oneOfEachBlockWeights(source: WeightSource): Weights<OneOfEachBlockParams> {
  const down = source.take("controller.down");
  const up = source.take("controller.up");
  const [rank, blocks, blockSize] = up.shape as [number, number, number];
  const units = blocks * blockSize;
  const bias = reshape(source.take("controller.bias"), [units]);
  const inner = source.take("in");
  const outer = source.take("out");
  const dModel = inner.shape[0]!;
  return {
    controller: { down: transpose(down, [1, 0]), up: reshape(up, [rank, units]), bias },
    inner: { kernel: reshape(transpose(inner, [1, 2, 0]), [units, dModel]) },
    outer: { kernel: reshape(transpose(outer, [1, 0, 2]), [units, dModel]), bias: source.take("bias") },
  };
}

/** controller [d, E], in [d, F], out [F, d]: an expert is F / E neighbouring units. */
export function blockSparseWeights(source: WeightSource): Weights<BlockSparseFeedForwardParams> {
  const [controller, inner, outer] = [source.take("controller"), source.take("in"), source.take("out")];
  const [count, [units, dModel]] = [controller.shape[1]!, outer.shape as [number, number]];
  const shape = [count, units / count, dModel];
  return {
    controller: { kernel: controller },
    inner: { kernel: reshape(transpose(inner, [1, 0]), shape) },
    outer: { kernel: reshape(outer, shape), bias: source.take("bias") },
  };
}

/** A projection of every head by itself, [heads, dModel, width], as one: [dModel, heads width]. */
const intoHeads = (w: Tensor): Tensor => {
  const [heads, dModel, width] = w.shape as [number, number, number];
  return reshape(transpose(w, [1, 0, 2]), [dModel, heads * width]);
};

/** Trax's `SelfAttention`, every head by itself. */
export function selfWeights(source: WeightSource): Weights<SelfAttentionParams> {
  const one = (name: string) => ({
    kernel: intoHeads(source.take(name)),
    ...(source.has(`${name}_bias`) ? { bias: flat(source.take(`${name}_bias`)) } : {}),
  });
  const out = source.take("out");
  const [heads, width, dModel] = out.shape as [number, number, number];
  return {
    query: one("q"),
    ...(source.has("k") ? { key: one("k") } : {}),
    value: one("v"),
    output: { kernel: reshape(out, [heads * width, dModel]) },
  };
}

const flat = (x: Tensor): Tensor => reshape(x, [x.shape.reduce((a, b) => a * b, 1)]);

/** A vector for each digit of each base, [1, width]. */
export function fixedBaseWeights(
  source: WeightSource,
  bases: number,
  digits: number,
): Weights<FixedBasePositionsParams> {
  const rows = Array.from({ length: bases * digits }, (_, i) =>
    source.take(`base${Math.floor(i / digits)}.digit${i % digits}`),
  );
  const start = source.take("start");
  const table = concat(...rows, { axis: 0 });
  return {
    digits: reshape(table, [bases, digits, table.shape[1]!]),
    start: reshape(start, [start.shape.at(-1)!]),
  };
}
