import {
  type Backend,
  type Buffer,
  type CompileOptions,
  createBackend,
  type Graph,
  type HostTensor,
  hostTensor,
  referenceBackend,
  referenceDriver,
} from "@finegrain/graph";
import { initialize, type ModelConfig, scalingLM } from "@finegrain/nn";
import { describe, expect, test, vi } from "vitest";
import { forward } from "../test/full-pass.ts";
import type { Watch } from "./decode-graph.ts";
import { createGenerator } from "./generator.ts";
import type { DrawnToken } from "./likely.ts";
import { byteTokenizer } from "./tokenizer/index.ts";
import type { WriteOptions } from "./write.ts";

const config: ModelConfig = { vocabulary: 24, dModel: 16, dFf: 32, layers: 1, heads: 2, maxLength: 100 };
const model = scalingLM(config);
const weights = initialize(model.params, 5);
const prompt = Int32Array.from({ length: 60 }, (_, i) => (i * i + 3) % config.vocabulary);

async function written(tokens: Int32Array, options: WriteOptions): Promise<number[]> {
  await using generator = await createGenerator({ backend: referenceBackend(), model, weights });
  using session = generator.start();
  const found: number[] = [];
  for await (const { token } of session.write(tokens, options)) found.push(token);
  return found;
}

test("greedy writing takes the largest logit of a full pass, into larger caches too, up to the end of the context", async () => {
  for (const length of [1, 8, 60]) {
    const found = await written(prompt.subarray(0, length), { temperature: 0 });
    expect(found.length).toBe(config.maxLength - length + 1);
    const rows = forward(model, weights, Int32Array.of(...prompt.subarray(0, length), ...found.slice(0, -1)));
    expect(found).toEqual(rows.slice(length - 1).map((row) => row.indexOf(Math.max(...row))));
  }
});

test("a text that goes on from its own beginning, with the same seed, is the same text", async () => {
  const whole = await written(prompt, { seed: 7, maxTokens: 20 });
  expect(new Set(whole).size).toBeGreaterThan(5);
  const longer = Int32Array.of(...prompt, ...whole.slice(0, 8));
  expect(await written(longer, { seed: 7, maxTokens: 12 })).toEqual(whole.slice(8));
});

test("a step shows what is asked of it beside the token, and writes the same", async () => {
  const watch: Watch = (step) => ({ logits: step.nodes.findLast(({ shape }) => shape.at(-1) === config.vocabulary)! });
  await using generator = await createGenerator({ backend: referenceBackend(), model, weights, watch });
  using session = generator.start();
  const drawn: DrawnToken[] = [];
  for await (const token of session.write(prompt, { temperature: 0, maxTokens: 3 })) drawn.push(token);
  expect(drawn.map(({ token }) => token)).toEqual(await written(prompt, { temperature: 0, maxTokens: 3 }));
  for (const { watched } of drawn) expect(watched!.logits!.shape.at(-1)).toBe(config.vocabulary);
});

describe("penalties", () => {
  /** The largest logit behind a text, as the papers' formulas lower them. */
  const expected = (text: readonly number[], promptEnd: number, repetition: number, presence: number) => {
    const logits = forward(model, weights, Int32Array.from(text)).at(-1)!;
    const lowered = Array.from(logits, (x, token) => {
      const repeated = text.includes(token) ? (x > 0 ? x / repetition : x * repetition) : x;
      return repeated - (text.indexOf(token, promptEnd) >= 0 ? presence : 0);
    });
    return lowered.indexOf(Math.max(...lowered));
  };

  test.each([
    [1.5, 0],
    [0.8, 0.4],
    [1, 0.7],
    [1, -0.5],
  ])("of repetition %f count prompt and text, of presence %f the text alone", async (repetition, presence) => {
    const options = { temperature: 0, repetitionPenalty: repetition, presencePenalty: presence };
    const found = await written(prompt.subarray(0, 11), { ...options, maxTokens: 20 });
    const text = [...prompt.subarray(0, 11)];
    for (const token of found) {
      expect(token).toBe(expected(text, 11, repetition, presence));
      text.push(token);
    }
    expect(found).not.toEqual(await written(prompt.subarray(0, 11), { temperature: 0, maxTokens: 20 }));
    // A text that goes on is told how much of it was written.
    const longer = Int32Array.from(text.slice(0, 20));
    expect(await written(longer, { ...options, written: 9, maxTokens: 11 })).toEqual(found.slice(9));
  });
});

test.each([0, 3, 100])("a token comes with its probability, and the %i most likely ones with theirs", async (count) => {
  await using generator = await createGenerator({ backend: referenceBackend(), model, weights });
  const options = { tokenizer: byteTokenizer(), maxTokens: 6, temperature: 2, presencePenalty: 1, seed: 3 };
  const text = [...prompt];
  for await (const { token, ...told } of generator.generate(prompt, { ...options, logProbabilities: count })) {
    const logits = Array.from(forward(model, weights, Int32Array.from(text)).at(-1)!);
    const total = Math.log(logits.reduce((sum, x) => sum + Math.exp(x), 0));
    expect(told.logProbability).toBeCloseTo(logits[token!]! - total, 4);
    const order = logits.map((_, i) => i).sort((i, j) => logits[j]! - logits[i]! || i - j);
    expect(told.likely!.map((other) => other.token)).toEqual(order.slice(0, count));
    for (const other of told.likely!) expect(other.logProbability).toBeCloseTo(logits[other.token]! - total, 4);
    text.push(token!);
  }
  expect(text.length).toBe(prompt.length + 6);
});

test("one session writes, is given more, and writes on", async () => {
  await using generator = await createGenerator({ backend: referenceBackend(), model, weights });
  using session = generator.start();
  const first: number[] = [];
  for await (const { token } of session.write(prompt, { temperature: 0, maxTokens: 5 })) first.push(token);
  expect(session.position).toBe(64); // not the last one that it wrote
  const rest = Int32Array.of(first.at(-1)!, 3);
  const logits = await session.prefill(rest);
  const rows = forward(model, weights, Int32Array.of(...prompt, ...first, 3));
  for (const [i, x] of logits.entries()) expect(x).toBeCloseTo(rows.at(-1)![i]!, 4);
});

/** The reference, which notes what it is asked to run and to read, and counts what is not given back. */
function watched() {
  const driver = referenceDriver();
  const seen = { events: [] as string[], open: 0, uploads: 0 };
  const reference = createBackend({
    ...driver,
    upload(value) {
      seen.uploads++;
      seen.open++;
      return driver.upload(value);
    },
    free: () => void seen.open--,
    async compile(graph, options) {
      const program = await driver.compile(graph, options);
      return {
        ...program,
        *run(inputs) {
          seen.open -= options.donate.length;
          const outputs = yield* program.run(inputs);
          seen.open += outputs.length;
          return outputs;
        },
      };
    },
  });
  const backend: Backend = {
    ...reference,
    async compile<I, O>(graph: Graph<I, O>, options?: CompileOptions) {
      const executable = await reference.compile(graph, options);
      const run: typeof executable.run = (inputs) => {
        seen.events.push("run");
        const outputs = executable.run(inputs);
        const { token } = outputs as { token?: Buffer }; // of a step that writes
        if (token)
          vi.spyOn(token, "read").mockImplementationOnce(async () => {
            seen.events.push("read");
            return token.read();
          });
        return outputs;
      };
      return { ...executable, run, [Symbol.dispose]: () => executable[Symbol.dispose]() };
    },
  };
  return { backend, seen };
}

describe("a step is under way when the token before it is read", () => {
  test("but for the last, and nothing is uploaded for it", async () => {
    const { backend, seen } = watched();
    await using generator = await createGenerator({ backend, model, weights });
    using session = generator.start();
    const uploads: number[] = [];
    for await (const _ of session.write(prompt.subarray(0, 1), { maxTokens: 4 })) uploads.push(seen.uploads);
    expect(seen.events).toEqual(["run", "run", "read", "run", "read", "run", "read", "read"]);
    expect(new Set(uploads).size).toBe(1);
  });

  test("one that nobody asked for is given back with the rest", async () => {
    const { backend, seen } = watched();
    const before = seen.open;
    {
      await using generator = await createGenerator({ backend, model, weights });
      using session = generator.start();
      for await (const _ of session.write(prompt, { topK: 3 })) break;
      expect(seen.events.filter((event) => event === "run").length).toBeGreaterThan(3);
    }
    expect(seen.open).toBe(before);
  });

  test("a stop sequence ends the text before the token that is under way", async () => {
    await using generator = await createGenerator({ backend: referenceBackend(), model, weights });
    const options = { tokenizer: byteTokenizer(), maxTokens: 30, seed: 2 };
    const tokens: number[] = [];
    for await (const { token } of generator.generate(prompt, options)) tokens.push(token!); // nothing is aborted
    const stop = [String.fromCharCode(tokens[3]!, tokens[4]!)];
    const stopped: number[] = [];
    let end: string | undefined;
    for await (const piece of generator.generate(prompt, { ...options, stop })) {
      stopped.push(piece.token!);
      end = piece.end;
    }
    const at = tokens.findIndex((_, i) => String.fromCharCode(...tokens.slice(i, i + 2)) === stop[0]);
    expect([stopped, end]).toEqual([tokens.slice(0, at + 2), "stop"]);
  });
});

describe("logits that are no distribution", () => {
  const broken = (value: number): Map<string, HostTensor> => {
    const found = new Map(weights);
    const path = [...found.keys()].find((name) => name.startsWith("loss"))!;
    const { dtype, shape, data } = found.get(path)!;
    found.set(path, hostTensor(dtype, shape, data.slice().fill(value)));
    return found;
  };

  test.each([{ temperature: 0 }, {}, { topK: 3 }, { topP: 0.5 }])("%j ends in one sentence", async (options) => {
    await using generator = await createGenerator({
      backend: referenceBackend(),
      model,
      weights: broken(Number.NaN),
    });
    const text = generator.generate(prompt, { tokenizer: byteTokenizer(), maxTokens: 3, ...options });
    await expect(text.next()).rejects.toThrow(
      "no token can be drawn behind 60: the largest logit, of token 0, is NaN or infinite",
    );
  });
});
