import { referenceBackend } from "@finegrain/graph";
import { initialize, scalingLM, uploadWeights } from "@finegrain/nn";
import { expect, test } from "vitest";
import { evaluateHeldOut } from "./held-out.ts";

test("buffers that are given are used as they are, and stay their owner's", async () => {
  const backend = referenceBackend();
  const model = scalingLM({ vocabulary: 8, dModel: 8, dFf: 16, layers: 1, heads: 2, maxLength: 8 });
  const tokens = Int32Array.from({ length: 33 }, (_, i) => (i * 5) % 8);
  const corpus = { train: tokens, heldOut: tokens, trainBytes: 33, heldOutBytes: 33 };
  const values = initialize(model.params, 1);
  const input = { backend, model, corpus, length: 8 };
  const buffers = uploadWeights(backend, model, values, "float32");
  const expected = await evaluateHeldOut({ ...input, weights: values });
  expect(await evaluateHeldOut({ ...input, weights: buffers })).toEqual(expected);
  expect(await evaluateHeldOut({ ...input, weights: buffers })).toEqual(expected);
});
