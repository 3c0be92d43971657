/*
 * A feed-forward layer of your own in a model: define it, name it in the config, train. Nothing in finegrain is touched.
 */
import { einsum, mul, referenceBackend, relu } from "@finegrain/graph";
import { defineFeedForward, glorot, type Layer, type Param, param, scalingLM, whole } from "@finegrain/nn";
import { adamW, createTrainer, trainBatches } from "@finegrain/train";

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

const dimensions = { vocabulary: 8, dModel: 16, dFf: 32, layers: 1, heads: 2, maxLength: 16 };
const model = scalingLM(
  { ...dimensions, feedForward: { type: "power", power: 2 } },
  { feedForward: [powerFeedForward] },
);

const text = Int32Array.from({ length: 400 }, (_, i) => (i * i) % dimensions.vocabulary);
const batches = trainBatches(text, { batch: 4, length: 16, seed: 1 });
await using trainer = await createTrainer({
  backend: referenceBackend(),
  model,
  optimizer: adamW(),
  schedule: () => 0.01,
  batch: 4,
  length: 16,
  seed: 1,
});
for (let step = 0; step < 20; step++) {
  const { loss } = await trainer.run([batches.at(step)]);
  if (step % 5 === 4) console.log(`step ${step + 1}: loss ${loss.toFixed(2)}`);
}
