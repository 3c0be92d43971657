import {
  type Backend,
  type Buffer,
  evaluate,
  graph,
  type HostTensor,
  hostTensor,
  input,
  type Tensor,
  zeroTensor,
} from "@finegrain/graph";
import { evaluation, initialize, leaves, mapParams, mapTree, scalingLM } from "@finegrain/nn";
import { describe, it } from "vitest";
import { expectClose } from "./expect-close.ts";
import { modelConfigs } from "./model-configs.ts";
import { randomValue } from "./random-value.ts";

const TIME = 8;
/** Tokens in the first chunk; the others come one at a time. */
const PREFILL = 3;

/** Decoding over donated caches, a chunk and then token by token, gives the logits of a full forward pass. */
export function describeDecode(backend: () => Backend, tolerance: number): void {
  describe("decodes as a full forward pass", () => {
    it.each(Object.entries(modelConfigs))("%s", async (_, config) => {
      const model = scalingLM(config);
      const values = [...initialize(model.params, 3).values()];
      const tokens = randomValue({ dtype: "int32", shape: [1, TIME], below: config.vocabulary }, 1);
      const expected = forward(model, values, tokens);
      const decoder = await openDecoder(backend(), model, values);
      for (let at = 0; at < TIME; at += at === 0 ? PREFILL : 1) {
        const end = at === 0 ? PREFILL : at + 1;
        const logits = await decoder.step(tokens.data.slice(at, end) as Int32Array, at); // of int32 tokens
        const row = expected.data.slice((end - 1) * config.vocabulary, end * config.vocabulary);
        expectClose(logits, { dtype: "float32", shape: [1, config.vocabulary], data: row }, tolerance);
      }
      decoder.close();
    });
  });
}

type Model = ReturnType<typeof scalingLM>;

const weightInputs = (model: Model) => mapParams(model.params, ({ shape }, path) => input(shape, "float32", path));

function forward(model: Model, values: readonly HostTensor[], tokens: HostTensor): HostTensor {
  const weights = weightInputs(model);
  const x = input(tokens.shape, "int32", "tokens");
  const inputs = [...leaves<Tensor>(weights as never).map(([, w]) => w), x]; // a tree of tensors
  return evaluate(graph({ name: "forward", inputs, outputs: [model.logits(weights, x, evaluation)] }), [
    ...values,
    tokens,
  ])[0]!;
}

/** A stream on the backend: its caches are donated from step to step. */
async function openDecoder(backend: Backend, model: Model, values: readonly HostTensor[]) {
  const uploaded = values.map((value) => backend.upload(value));
  const types = model.caches(1, TIME);
  let caches: Buffer[] = leaves(types).map(([, type]) => backend.upload(zeroTensor(type)));

  async function compile(length: number) {
    const weights = weightInputs(model);
    const cacheInputs = mapTree(types, ({ dtype, shape }, path) => input(shape, dtype, path));
    const [tokens, position] = [input([1, length], "int32", "tokens"), input([], "int32", "position")];
    const next = model.decode(weights, tokens, cacheInputs, position);
    const list = (tree: Parameters<typeof leaves<Tensor>>[0]) => leaves<Tensor>(tree).map(([, tensor]) => tensor);
    const inputs = [...list(weights as never), ...list(cacheInputs), tokens, position]; // a tree of tensors
    const first = inputs.length - 2 - caches.length;
    const decode = graph({ name: `decode ${length}`, inputs, outputs: [...list(next.caches), next.logits] });
    return backend.compile(decode, { donate: caches.map((_, i) => [first + i, i] as const) });
  }
  const executables = new Map([
    [PREFILL, await compile(PREFILL)],
    [1, await compile(1)],
  ]);

  return {
    async step(tokens: Int32Array, at: number): Promise<HostTensor> {
      const given = [hostTensor("int32", [1, tokens.length], tokens), hostTensor("int32", [], [at])].map((value) =>
        backend.upload(value),
      );
      const outputs = executables.get(tokens.length)!.run([...uploaded, ...caches, ...given]);
      const logits = outputs.at(-1)!;
      caches = outputs.slice(0, -1);
      const value = await logits.read();
      for (const buffer of [...given, logits]) buffer[Symbol.dispose]();
      return value;
    },
    close() {
      for (const buffer of [...uploaded, ...caches]) buffer[Symbol.dispose]();
      for (const executable of executables.values()) executable[Symbol.dispose]();
    },
  };
}
