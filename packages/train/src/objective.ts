import {
  cast,
  constant,
  crossEntropy,
  div,
  equal,
  floor,
  less,
  max,
  mul,
  not,
  reduceSum,
  select,
  slice,
  type Tensor,
} from "@finegrain/graph";
import {
  type Context,
  type LanguageModel,
  PADDING,
  type RandomSource,
  randomSource,
  type Weights,
} from "@finegrain/nn";

/** What a model says of a batch: how surprised it is of every token that it should tell. */
export interface Surprise {
  /** float32 [batch, length]: negative log-likelihood of each target. */
  readonly nats: Tensor;
  /** float32 [batch, length]: 1 for a target, 0 for a place that has none; absent where every place has one. */
  readonly isTarget?: Tensor;
}

/** Part of the tokens that a masked language model has to tell; of these, what is hidden and what is replaced. */
const TOLD = 0.15;
const HIDDEN = 0.8;
const REPLACED = 0.1;

/**
 * A causal model tells the next token of each. A masked one tells 15 % of the tokens, drawn anew for every batch: of these 80 %
 * are hidden behind the token `vocabulary`, 10 % are another token, and 10 % stay. In evaluation the places are the same for
 * every batch. Devlin et al. 2018, "BERT", 3.1.
 *
 *   tokens  int32 [batch, length + 1]    a masked model has no use for the last
 *
 * Of a model whose texts follow a source, rows have that first, and padding is no target.
 */
export function surprise(
  model: LanguageModel,
  w: Weights<LanguageModel["params"]>,
  tokens: Tensor,
  context: Context,
): Surprise {
  const [batch, width] = tokens.shape as [number, number];
  const cut = (start: number, end: number) => slice(tokens, { starts: [0, start], ends: [batch, end] });
  if (model.config.objective !== "masked") {
    const targets = cut((model.source?.maxLength ?? 0) + 1, width);
    const nats = crossEntropy(model.logits(w, cut(0, width - 1), context), targets);
    return { nats, ...(model.source && { isTarget: cast(not(equal(targets, PADDING)), "float32") }) };
  }
  const text = cut(0, width - 1);
  const { seen, isTold } = hide(
    text,
    model.config.vocabulary,
    context.mode === "train" ? context.random : fixedDraws(),
  );
  return { nats: crossEntropy(model.logits(w, seen, context), text), isTarget: cast(isTold, "float32") };
}

/** Mean over the targets: float32 []. */
export function meanSurprise({ nats, isTarget }: Surprise): Tensor {
  const every = { axes: [0, 1] };
  const [batch, length] = nats.shape as [number, number];
  if (!isTarget) return mul(reduceSum(nats, every), 1 / (batch * length));
  return div(reduceSum(mul(nats, isTarget), every), max(reduceSum(isTarget, every), 1));
}

/** The draws of an evaluation. */
function fixedDraws(): RandomSource {
  const key = constant({ dtype: "int32", shape: [2], data: [0, 0] });
  return randomSource(key, constant({ dtype: "int32", shape: [], data: [0] }));
}

function hide(text: Tensor, vocabulary: number, random: RandomSource): { seen: Tensor; isTold: Tensor } {
  const [told, kind, other] = [random.uniform(text.shape), random.uniform(text.shape), random.uniform(text.shape)];
  const replacement = cast(floor(mul(other, vocabulary)), "int32");
  const changed = select(less(kind, HIDDEN), vocabulary, select(less(kind, HIDDEN + REPLACED), replacement, text));
  const isTold = less(told, TOLD);
  return { seen: select(isTold, changed, text), isTold };
}
