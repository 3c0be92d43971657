import { createGenerator } from "@finegrain/generate";
import { type Backend, evaluate, graph, type HostTensor, hostTensor, input, type Tensor } from "@finegrain/graph";
import { evaluation, initialize, leaves, mapParams, scalingLM } from "@finegrain/nn";
import { describe, it } from "vitest";
import { expectClose } from "./expect-close.ts";
import { catalogModels } from "./model-configs.ts";
import { randomValue } from "./random-value.ts";

const TIME = 14;
/** Tokens that are there first: a chunk and one more. The others come one at a time. */
const PREFILL = 9;

/** Decoding over donated caches, a chunk and then token by token, gives the logits of a full forward pass, whatever layers a model has. */
export function describeDecode(backend: () => Backend, tolerance: number): void {
  describe("decodes as a full forward pass", () => {
    it.each(Object.entries(catalogModels))("%s", async (_, { config, decodes }) => {
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

function forward(model: ReturnType<typeof scalingLM>, values: readonly HostTensor[], tokens: HostTensor): HostTensor {
  const weights = mapParams(model.params, ({ shape }, path) => input(shape, "float32", path));
  const x = input(tokens.shape, "int32", "tokens");
  const inputs = [...leaves<Tensor>(weights as never).map(([, w]) => w), x]; // a tree of tensors
  return evaluate(graph({ name: "forward", inputs, outputs: [model.logits(weights, x, evaluation)] }), [
    ...values,
    tokens,
  ])[0]!;
}
