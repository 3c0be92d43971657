import { createGenerator } from "@finegrain/generate";
import { type Backend, evaluate, graph, type HostTensor, hostTensor, input, type Tensor } from "@finegrain/graph";
import {
  evaluation,
  initialize,
  type LanguageModel,
  leaves,
  mapParams,
  modelOf,
  type Params,
  scalingLM,
  type Weights,
} from "@finegrain/nn";
import { describe, it } from "vitest";
import { everyNth } from "./every-nth.ts";
import { expectClose } from "./expect-close.ts";
import { catalogModels, sourceConfigs } from "./model-configs.ts";
import { randomValue } from "./random-value.ts";

const TIME = 14;
/** Tokens that are there first: a chunk and one more. The others come one at a time. */
const PREFILL = 9;

/** Decoding over donated caches, a chunk and then token by token, gives the logits of a full forward pass, whatever layers a model has. */
export function describeDecode(backend: () => Backend, tolerance: number, step: number): void {
  describe("decodes as a full forward pass", () => {
    it.each(everyNth(Object.entries(catalogModels), step))("%s", async (_, { config, decodes }) => {
      const model = scalingLM(config);
      const weights = initialize(model.params, 3);
      const tokens = randomValue({ dtype: "int32", shape: [1, TIME], below: config.vocabulary }, 1);
      const expected = forward(scalingLM(decodes), [...weights.values()], tokens);
      await using generator = await createGenerator({ backend: backend(), model, weights });
      using session = generator.start();
      for (let at = 0; at < TIME; at = session.position) {
        const end = Math.max(PREFILL, at + 1);
        const logits = await session.prefill(tokens.data.slice(at, end) as Int32Array); // of int32 tokens
        const row = expected.data.slice((end - 1) * config.vocabulary, end * config.vocabulary);
        const shape = [config.vocabulary];
        expectClose(hostTensor("float32", shape, logits), { dtype: "float32", shape, data: row }, tolerance);
      }
    });
  });
}

/** Behind a source, padded, that is read once, token by token; against a full pass of both. */
export function describeSources(backend: () => Backend, tolerance: number, step: number): void {
  describe("decodes behind a source as a full forward pass", () => {
    it.each(everyNth(Object.entries(sourceConfigs), step))("%s", async (_, config) => {
      const model = modelOf(config);
      const weights = initialize(model.params, 3);
      const { vocabulary, encoder } = config;
      const source = Int32Array.from({ length: PREFILL }, (_, i) => 1 + ((5 * i) % (vocabulary - 1)));
      const text = Int32Array.from({ length: 4 }, (_, i) => (7 * i) % vocabulary);
      const row = new Int32Array(encoder!.maxLength + text.length); // they have one
      row.set(source);
      row.set(text, encoder!.maxLength);
      const expected = forward(model, [...weights.values()], hostTensor("int32", [1, row.length], row));
      await using generator = await createGenerator({ backend: backend(), model, weights });
      using session = generator.start(source);
      for (const [t, token] of text.entries()) {
        const shape = [vocabulary];
        const found = hostTensor("float32", shape, await session.step(token));
        const data = expected.data.slice(t * vocabulary, (t + 1) * vocabulary);
        expectClose(found, { dtype: "float32", shape, data }, tolerance);
      }
    });
  });
}

function forward(model: LanguageModel, values: readonly HostTensor[], tokens: HostTensor): HostTensor {
  const weights = mapParams(model.params, ({ shape }, path) => input(shape, "float32", path)) as Weights<Params>;
  const x = input(tokens.shape, "int32", "tokens");
  const inputs = [...leaves<Tensor>(weights as never).map(([, w]) => w), x]; // a tree of tensors
  return evaluate(graph({ name: "forward", inputs, outputs: [model.logits(weights, x, evaluation)] }), [
    ...values,
    tokens,
  ])[0]!;
}
