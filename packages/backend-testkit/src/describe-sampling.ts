import {
  byteTokenizer,
  createGenerator,
  drawInputs,
  drawKind,
  drawNumbers,
  drawToken,
  type WriteOptions,
} from "@finegrain/generate";
import {
  type Backend,
  graph,
  type HostTensor,
  hostTensor,
  input,
  type ListGraph,
  referenceBackend,
} from "@finegrain/graph";
import { initialize, type ModelConfig, scalingLM } from "@finegrain/nn";
import { describe, expect, it } from "vitest";
import { modelConfigs } from "./model-configs.ts";
import { onceForEach } from "./once-for-each.ts";
import { randomValue } from "./random-value.ts";
import { expectAgreement, runGraph } from "./run-graph.ts";

/** All ways to draw. Of the reference's draws here none is so near to another token that rounding would decide. */
const ways: readonly WriteOptions[] = [
  { temperature: 0 },
  {},
  { temperature: 0.7, seed: 3 },
  { topK: 5 },
  { topP: 0.8, seed: 2 ** 40 + 1 },
  { topK: 20, topP: 0.6, temperature: 1.4 },
  { topK: 30, minP: 0.02, repetitionPenalty: 1.2, presencePenalty: 0.3, seed: 9 },
];

/** Tokens are drawn on the device as the reference draws them, alone and step by step behind a model. */
export function describeSampling(backend: () => Backend): void {
  describe("draws as the reference", () => {
    // So many that they are drawn in two steps, too.
    it.each(ways.flatMap((way) => [100, 20_000].map((vocabulary) => ({ way, vocabulary }))))("%j", async (draw) => {
      const logits = randomValue({ dtype: "float32", shape: [draw.vocabulary] }, 7);
      const data = Float32Array.from(logits.data, (x) => 3 * x);
      for (let position = 0; position < 4; position++)
        await expectAgreement(backend(), ...drawn({ ...logits, data }, draw.way, position), 0);
    });

    it("says which logit is no number", async () => {
      for (const way of ways)
        for (const vocabulary of [100, 5000])
          for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
            const logits = randomValue({ dtype: "float32", shape: [vocabulary] }, 7);
            const data = logits.data.slice();
            data[41] = bad;
            const [token] = await runGraph(backend(), ...drawn({ ...logits, data }, way, 0));
            expect(token!.data[0], `of ${bad} among ${vocabulary} with ${JSON.stringify(way)}`).toBe(-42);
          }
    });

    it.each(Object.entries(modelConfigs))("and writes on with %s", async (_, config) => {
      expect(await written(backend(), config)).toEqual(await writtenByReference(config));
    });

    it.each(Object.entries(modelConfigs))("and several texts at a time with %s", async (_, config) => {
      expect(await writtenTogether(backend(), config)).toEqual(await writtenTogetherByReference(config));
    });

    it.each(Object.entries(modelConfigs))("and the same text where it is drafted by %s", async (_, config) => {
      const { vocabulary, maxLength } = config;
      const model = { ...modelConfigs["a dense model"]!, vocabulary, maxLength };
      expect(await drafted(backend(), model, config)).toEqual(await drafted(backend(), model, undefined));
    });
  });
}

const PROMPT = 10;

/** What a model writes until its context is full, each way. */
async function written(backend: Backend, config: ModelConfig): Promise<[way: WriteOptions, tokens: number[]][]> {
  const model = scalingLM(config);
  await using generator = await createGenerator({ backend, model, weights: initialize(model.params, 3) });
  const prompt = randomValue({ dtype: "int32", shape: [PROMPT], below: config.vocabulary }, 1).data as Int32Array;
  const all: [WriteOptions, number[]][] = [];
  for (const way of ways) {
    using session = generator.start();
    const tokens: number[] = [];
    for await (const { token } of session.write(prompt, way)) tokens.push(token);
    expect(tokens.length).toBe(config.maxLength - PROMPT + 1);
    all.push([way, tokens]);
  }
  return all;
}

const writtenByReference = onceForEach((config: ModelConfig) => written(referenceBackend(), config));

/** What a model writes, in three ways, where another drafts for it or none does. */
async function drafted(backend: Backend, config: ModelConfig, draft: ModelConfig | undefined): Promise<number[][]> {
  const of = (own: ModelConfig) => ({ model: scalingLM(own), weights: initialize(scalingLM(own).params, 3) });
  await using generator = await createGenerator({ backend, ...of(config), draft: draft && of(draft) });
  const prompt = randomValue({ dtype: "int32", shape: [PROMPT], below: config.vocabulary }, 1).data as Int32Array;
  const all: number[][] = [];
  for (const way of [ways[0], ways[2], ways[6]]) {
    const tokens: number[] = [];
    const options = { ...way, tokenizer: byteTokenizer(), maxTokens: 20 };
    for await (const { token } of generator.generate(prompt, options)) tokens.push(token!); // no abort
    all.push(tokens);
  }
  return all;
}

/** What a model writes behind prompts of other lengths, in two ways: five at a time, and fewer where they come to their ends. */
async function writtenTogether(backend: Backend, config: ModelConfig): Promise<number[][]> {
  const model = scalingLM(config);
  const weights = initialize(model.params, 3);
  await using generator = await createGenerator({ backend, model, weights, streams: 5 });
  const lengths = [1, 10, 4, 7, 2];
  const prompts = lengths.map(
    (length, i) => randomValue({ dtype: "int32", shape: [length], below: config.vocabulary }, i).data as Int32Array,
  );
  const options = prompts.map((_, i) => ({
    ...ways[i % 2 === 0 ? 0 : 6],
    seed: i,
    tokenizer: byteTokenizer(),
    maxTokens: 6,
  }));
  const tokens = prompts.map((): number[] => []);
  for await (const { prompt, token } of generator.generateAll(prompts, options)) tokens[prompt]!.push(token!); // no abort
  return tokens;
}

const writtenTogetherByReference = onceForEach((config: ModelConfig) => writtenTogether(referenceBackend(), config));

/** The graph that draws a token of these logits, and its inputs. */
function drawn(logits: HostTensor, way: WriteOptions, position: number): [program: ListGraph, values: HostTensor[]] {
  const kind = drawKind(way, logits.data.length);
  const x = input(logits.shape, "float32", "logits");
  const draw = drawInputs(kind);
  const place = input([], "int32", "position");
  return [
    graph({
      name: "draw",
      inputs: [x, ...Object.values(draw), place],
      outputs: [drawToken(x, kind, draw, place)],
    }),
    [logits, ...Object.values(drawNumbers(way, kind, PROMPT)), hostTensor("int32", [], [position])],
  ];
}
