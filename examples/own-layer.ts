/*
 * A feed-forward layer of your own in a model: define it, name it in the config, train. Nothing in finegrain is touched.
 */
import { einsum, mul, referenceBackend, relu } from "@finegrain/graph";
import { defineFeedForward, glorot, type Layer, type Param, param, whole } from "@finegrain/nn";
import { train } from "@finegrain/runs";

/** y = relu(x·W₁)ᵖ·W₂: So et al. 2021, "Primer", with p = 2. Axes: B batch, T time, D model, F hidden units. */
export const powerFeedForward = defineFeedForward({
  name: "power",
  summary: "relu(x W1) to a power, times W2",
  causality: "yes",
  decoding: "the same",
  options: { power: whole({ doc: "power that the units are raised to", default: 2 }) },
  build: ({ dModel, dFf, power }): Layer<{ inner: Param; outer: Param }> => ({
    params: {
      inner: param([dModel, dFf], glorot(dModel, dFf)),
      outer: param([dFf, dModel], glorot(dFf, dModel)),
    },
    apply(w, x) {
      const units = relu(einsum(x, w.inner, "B T D, D F -> B T F"));
      const raised = Array.from({ length: power - 1 }).reduce<typeof units>((y) => mul(y, units), units);
      return einsum(raised, w.outer, "B T F, F D -> B T D");
    },
  }),
  cases: [{ options: {} }, { options: { power: 3 } }],
});

const run = await train({
  backend: referenceBackend(),
  data: "It was the best of times, it was the worst of times. ".repeat(20),
  layers: { feedForward: [powerFeedForward] },
  model: { layers: 1, dModel: 16, heads: 2, feedForward: { type: "power", power: 2 } },
  training: { steps: 20, batch: 4, length: 16, learningRate: 0.01 },
  onStep: ({ step, loss }) => {
    if (step % 5 === 0) console.log(`step ${step}: loss ${loss.toFixed(2)}`);
  },
});
await run.close();
