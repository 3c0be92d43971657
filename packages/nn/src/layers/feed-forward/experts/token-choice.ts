import {
  add,
  argMax,
  cast,
  constant,
  div,
  einsum,
  less,
  mul,
  oneHot,
  reduceSum,
  reshape,
  scatterAdd,
  sigmoid,
  softmax,
  type Tensor,
  topK,
  transpose,
} from "@finegrain/graph";
import { expectAtMost } from "../../../config-error.ts";
import type { Context } from "../../../context.ts";
import { boolean, type Given, number, type Resolved, whole } from "../../../definition/option.ts";
import { glorot } from "../../../init.ts";
import { type DecodedLayer, type Param, param, type Weights } from "../../../layer.ts";
import { defineFeedForward, type FeedForwardDimensions } from "../definition.ts";
import { expertCount, expertOptions } from "./expert-options.ts";
import { type ExpertsParams, experts } from "./experts.ts";
import {
  addLoss,
  atSlots,
  loadBalancingLoss,
  reportRouting,
  routerZLoss,
  throughChosen,
  throughSlots,
} from "./routing.ts";

const options = {
  experts: expertCount,
  k: whole({ doc: "experts that a token takes", default: 1, flag: "top-k" }),
  capacityFactor: number({
    above: 0,
    doc: "slots of all experts over what the tokens ask for",
    default: 1.25,
    flag: "capacity",
  }),
  loadBalancing: number({ least: 0, doc: "weight of the load-balancing loss", default: 0.01 }),
  zLoss: number({ least: 0, doc: "weight of the router z-loss", default: 0.001 }),
  normalizeChosen: boolean({
    doc: "a token's probabilities are made to sum to 1 over the experts that it chose",
    default: false,
  }),
  sharedUnits: whole({
    doc: "hidden units of one more expert, which every token goes through; they are not among dFf",
    otherwise: "there is none",
  }),
  sharedGate: boolean({ doc: "what that expert makes of a token is multiplied by a sigmoid of it", default: false }),
  ...expertOptions,
  bias: boolean({ doc: "the experts' units have a bias", default: false }),
};

export type TokenChoiceConfig = FeedForwardDimensions & Given<typeof options>;

export type TokenChoiceParams = {
  readonly router: Param;
  readonly experts: ExpertsParams;
  /** One expert, which every token goes through. */
  readonly shared?: ExpertsParams;
  readonly sharedGate?: Param;
};

export interface TokenChoiceLayer extends DecodedLayer<TokenChoiceParams> {
  /**
   * As `apply`, by another rule of which tokens an expert keeps.
   *
   *   priority  float32 [batch * time, experts]   above 0 where the token chose the expert; the larger goes first
   */
  applyInOrder(w: Weights<TokenChoiceParams>, x: Tensor, priority: Tensor, context: Context): Tensor;
}

/**
 * Mixture of Experts in which every token chooses its k most probable experts, and an expert keeps no more than its capacity.
 *
 *   P = softmax over the experts of x·R;  y = Σₑ P[e]·expertₑ(x) over the chosen e that have room
 *   capacity = ⌊capacityFactor · N · k / E⌋, at least 1 and at most N
 *
 * P is made to sum to 1 over the chosen where `normalizeChosen` says so (Jiang et al. 2024, "Mixtral of Experts"). A token that
 * no expert keeps is dropped: its output is 0. Earlier positions go first, then earlier sequences. With `sharedUnits`, every
 * output has that of one more expert added (Dai et al. 2024, "DeepSeekMoE"), with `sharedGate` times sigmoid(x·g) (Qwen2-MoE).
 * Fedus et al. 2021, "Switch Transformers"; Shazeer et al. 2017; finer experts (`experts` and `k` both G times more, at the same
 * `dFf`): Krajewski et al. 2024. llm-random `TokenChoiceFF`.
 *
 * Causality: causal, since only tokens of earlier or equal positions can take a place away; which those are in other
 * sequences matters. Decode: every token, of one stream or of a batch of them, gets all the experts that it chose, of which
 * only the weights are read; equal to `apply` where nothing is dropped.
 *
 * Axes: N = B · T tokens, D model, E experts, K chosen, C capacity.
 */
export const tokenChoice = defineFeedForward({
  name: "token-choice",
  summary: "each token takes its `k` best experts, which have room for `capacityFactor` times what is asked for",
  causality: "yes: earlier positions go first",
  decoding: "the same with nothing dropped, reads the `k` experts",
  options,
  unitStep: "experts",
  check({ k, experts: count, sharedGate, sharedUnits }, at) {
    expectAtMost(at.owner, at.option("k"), k, at.option("experts"), count);
    if (sharedGate && sharedUnits === undefined)
      at.refuse(`${at.option("sharedGate")} needs ${at.option("sharedUnits")}`);
  },
  build: layer,
  cases: [
    { options: { experts: 4, k: 2, capacityFactor: 4 } },
    { options: { experts: 4, k: 2, capacityFactor: 4, bias: true } },
    { options: { experts: 4, capacityFactor: 0.5, gated: true, activation: "silu" }, decodes: { capacityFactor: 4 } },
    { options: { experts: 4, k: 2, capacityFactor: 4, normalizeChosen: true, sharedUnits: 5 } },
    { options: { experts: 4, capacityFactor: 4, gated: true, sharedUnits: 3, sharedGate: true } },
  ],
});

function layer(config: FeedForwardDimensions & Resolved<typeof options>): TokenChoiceLayer {
  const { dModel, dFf, experts: count, k, capacityFactor, loadBalancing, zLoss, normalizeChosen } = config;
  const { activation, gated, bias, sharedUnits, sharedGate } = config;
  const own = { dModel, activation, gated, bias };
  const inner = experts({ ...own, experts: count, expertSize: dFf / count });
  const shared = sharedUnits === undefined ? undefined : experts({ ...own, experts: 1, expertSize: sharedUnits });

  type W = Weights<TokenChoiceParams>;
  const flat = (x: Tensor): Tensor => reshape(x, [x.shape[0]! * x.shape[1]!, dModel]);
  const logitsOf = (w: W, tokens: Tensor): Tensor => einsum(tokens, w.router, "N D, D E -> N E");
  const best = (logits: Tensor): Tensor =>
    k === 1 ? reshape(argMax(logits), [logits.shape[0]!, 1]) : topK(logits, { k });
  /** 1 where the token chose the expert: [N, E]. */
  const choiceOf = (chosen: Tensor): Tensor => reduceSum(oneHot(chosen, { classes: count }), { axes: [1] });
  /** What an expert counts for a token that chose it: [N, E]. */
  const shares = (probabilities: Tensor, chosen: Tensor): Tensor =>
    normalizeChosen
      ? div(probabilities, reduceSum(mul(probabilities, chosen), { axes: [1], keepDims: true }))
      : probabilities;
  /** The output with that of the expert which every token goes through. */
  const withShared = (w: W, tokens: Tensor, y: Tensor): Tensor => {
    if (shared === undefined) return y;
    const theirs = reshape(shared.apply(w.shared!, reshape(tokens, [1, ...tokens.shape])), tokens.shape);
    return add(y, w.sharedGate ? mul(theirs, sigmoid(einsum(tokens, w.sharedGate, "N D, D E -> N E"))) : theirs);
  };

  const routed = (w: W, x: Tensor, logits: Tensor, chosen: Tensor, priority: Tensor, context: Context): Tensor => {
    const tokens = flat(x);
    const rows = tokens.shape[0]!;
    const capacity = Math.min(Math.max(Math.floor((capacityFactor * rows * k) / count), 1), rows);
    const byExpert = transpose(priority, [1, 0]);
    const slots = topK(byExpert, { k: capacity });
    const isFull = cast(less(0, atSlots(priority, slots)), "float32");
    const probabilities = softmax(logits);
    addLoss(context, "loadBalancing", loadBalancing, loadBalancingLoss(probabilities, chosen));
    addLoss(context, "routerZ", zLoss, routerZLoss(logits));
    reportRouting(context, {
      load: reduceSum(isFull, { axes: [1] }),
      taken: scatterAdd(slots, isFull, { rows }),
      logits,
    });
    const weights = mul(atSlots(shares(probabilities, chosen), slots), isFull);
    const y = throughSlots(tokens, { tokens: slots, weights }, (rows) => inner.apply(w.experts, rows, context));
    return reshape(withShared(w, tokens, y), x.shape);
  };

  return {
    params: {
      router: param([dModel, count], glorot(dModel, count)),
      experts: inner.params,
      ...(shared && { shared: shared.params }),
      ...(sharedGate && { sharedGate: param([dModel, 1], glorot(dModel, 1)) }),
    },
    apply(w, x, context) {
      const logits = logitsOf(w, flat(x));
      const chosen = choiceOf(best(logits));
      return routed(w, x, logits, chosen, mul(chosen, earlierFirst(x.shape[0]!, x.shape[1]!)), context);
    },
    applyInOrder(w, x, priority, context) {
      const logits = logitsOf(w, flat(x));
      return routed(w, x, logits, choiceOf(best(logits)), priority, context);
    },
    decode(w, x) {
      const tokens = flat(x);
      const logits = logitsOf(w, tokens);
      const chosen = best(logits);
      const table = shares(softmax(logits), choiceOf(chosen));
      return reshape(withShared(w, tokens, throughChosen(inner, w.experts, tokens, chosen, table)), x.shape);
    },
  };
}

/** N down to 1 by position, then by sequence: float32 [N, 1] for tokens numbered b · T + t. */
function earlierFirst(batch: number, time: number): Tensor {
  const total = batch * time;
  const data = Array.from({ length: total }, (_, n) => total - ((n % time) * batch + Math.floor(n / time)));
  return constant({ dtype: "float32", shape: [total, 1], data });
}
