import { evaluate, graph, type HostTensor, hostTensor, input, type Tensor } from "@finegrain/graph";
import { evaluation, type LanguageModel, leaves, mapParams } from "@finegrain/nn";

/** Logits after every token, as rows, from one pass over all of them. */
export function forward(
  model: LanguageModel,
  weights: ReadonlyMap<string, HostTensor>,
  tokens: Int32Array,
): number[][] {
  const w = mapParams(model.params, ({ shape }, path) => input(shape, "float32", path));
  const x = input([1, tokens.length], "int32", "tokens");
  const inputs = [...leaves<Tensor>(w).map(([, tensor]) => tensor), x];
  const [logits] = evaluate(graph({ inputs, outputs: [model.logits(w, x, evaluation)] }), [
    ...weights.values(),
    hostTensor("int32", [1, tokens.length], tokens),
  ]);
  const { vocabulary } = model.config;
  return Array.from(tokens, (_, t) => [...logits!.data.slice(t * vocabulary, (t + 1) * vocabulary)]);
}
