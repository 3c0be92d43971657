import {
  type Backend,
  createBackend,
  gather,
  type HostTensor,
  hostTensor,
  referenceBackend,
  referenceDriver,
  reshape,
  slice,
  type Tensor,
} from "@finegrain/graph";
import { initialize, type LanguageModel, type ModelConfig, scalingLM } from "@finegrain/nn";
import { describe, expect, test, vi } from "vitest";
import { countingBackend } from "../test/counting-backend.ts";
import { forward } from "../test/full-pass.ts";
import { createGenerator } from "./generator.ts";
import type { Generated, GenerateOptions } from "./shown.ts";
import { byteTokenizer } from "./tokenizer/index.ts";

const dense: ModelConfig = { vocabulary: 24, dModel: 8, dFf: 16, layers: 1, heads: 2, maxLength: 80 };
const sparse: ModelConfig = {
  ...dense,
  feedForward: { type: "sparse", blockSize: 4, rank: 2 },
  attention: { type: "multiplicative-convolutional", modules: 2 },
  loss: { type: "multiplicative", modules: 2 },
};

const expectLogits = (found: Float32Array, expected: readonly number[], what: string) => {
  expect(found.length).toBe(expected.length);
  for (const [i, x] of found.entries()) expect(x, what).toBeCloseTo(expected[i]!, 4);
};

describe.each(Object.entries({ dense, sparse }))("a %s model", (_, config) => {
  const model = scalingLM(config);
  const weights = initialize(model.params, 5);
  const tokens = Int32Array.from({ length: config.maxLength }, (_, i) => (i * i + 3) % config.vocabulary);

  test.each([1, 7, 62, 75])(
    "decodes behind a prompt of %d as a full forward pass, into larger caches too",
    async (prompt) => {
      const expected = forward(model, weights, tokens);
      await using generator = await createGenerator({ backend: referenceBackend(), model, weights });
      using session = generator.start();
      expectLogits(await session.prefill(tokens.subarray(0, prompt)), expected[prompt - 1]!, "the prompt");
      for (let t = prompt; t < Math.min(prompt + 5, tokens.length); t++) {
        expect(session.position).toBe(t);
        expectLogits(await session.step(tokens[t]!), expected[t]!, `token ${t}`);
      }
    },
  );

  test("streams do not see each other", async () => {
    await using generator = await createGenerator({ backend: referenceBackend(), model, weights });
    using one = generator.start();
    using other = generator.start();
    await one.prefill(tokens.subarray(0, 9));
    await other.prefill(tokens.subarray(20, 23));
    const expected = forward(model, weights, tokens.subarray(0, 10));
    expectLogits(await one.step(tokens[9]!), expected[9]!, "the first stream");
  });

  test("the model's context is the end of a stream", async () => {
    await using generator = await createGenerator({ backend: referenceBackend(), model, weights });
    using session = generator.start();
    await session.prefill(tokens);
    await expect(session.step(0)).rejects.toThrow("81 tokens do not fit into the model's context of 80");
    await expect(generator.start().prefill(Int32Array.of(1, 24))).rejects.toThrow(
      "token 24 is outside the model's vocabulary of 24",
    );
  });
});

/** A model whose next token depends on the last one alone: row `token` of its table has the logits. */
function bigrams(maxLength: number): LanguageModel {
  const config = { vocabulary: 256, dModel: 1, dFf: 1, layers: 0, heads: 1, maxLength };
  const lookup = (w: { readonly table: Tensor }, tokens: Tensor) => gather(w.table, tokens);
  const model = {
    config,
    params: { table: { shape: [256, 256], init: { kind: "constant", value: 0 } } },
    logits: lookup,
    caches: () => ({}),
    decode(w, tokens, caches) {
      const last = tokens.shape[1]!;
      const logits = lookup(w, slice(tokens, { starts: [0, last - 1], ends: [1, last] }));
      return { logits: reshape(logits, [1, 256]), caches };
    },
  } satisfies LanguageModel<{ readonly table: { shape: number[]; init: { kind: "constant"; value: number } } }>;
  return model as unknown as LanguageModel; // its own tree of parameters is one of any
}

/** Weights with which `cycle` is written over and over. */
function writing(cycle: string): Map<string, HostTensor> {
  const bytes = new TextEncoder().encode(cycle);
  const table = new Float32Array(256 * 256);
  for (const [i, byte] of bytes.entries()) table[byte * 256 + bytes[(i + 1) % bytes.length]!] = 50;
  return new Map([["table", hostTensor("float32", [256, 256], table)]]);
}

const tokenizer = byteTokenizer();

async function write(
  { cycle = "abcd", prompt = "a", maxLength = 64 }: { cycle?: string; prompt?: string; maxLength?: number },
  more: Partial<GenerateOptions> = {},
): Promise<{ text: string; pieces: Generated[] }> {
  await using generator = await createGenerator({
    backend: referenceBackend(),
    model: bigrams(maxLength),
    weights: writing(cycle),
  });
  const pieces: Generated[] = [];
  for await (const piece of generator.generate(tokenizer.encode(prompt), { maxTokens: 10, tokenizer, ...more }))
    pieces.push(piece);
  return { text: pieces.map(({ text }) => text).join(""), pieces };
}

describe("generate", () => {
  test("writes as many tokens as were asked for", async () => {
    const { text, pieces } = await write({}, { temperature: 0 });
    expect(text).toBe("bcdabcdabc");
    expect(pieces.map(({ end }) => end)).toEqual([...new Array(9).fill(undefined), "maxTokens"]);
  });

  test("ends before a stop sequence, which is never shown in part", async () => {
    const { text, pieces } = await write({}, { stop: ["dab", "zzz"] });
    expect(text).toBe("bc");
    expect(pieces.at(-1)).toEqual({ token: 98, text: "", end: "stop" });
    expect(pieces.length).toBe(5);
  });

  test("shows what was held back for a stop sequence that did not come", async () => {
    expect((await write({}, { maxTokens: 3, stop: ["cdx"] })).text).toBe("bcd");
  });

  test("ends with the model's context, whose last place is read too", async () => {
    const { text, pieces } = await write({ prompt: "abcda", maxLength: 8 });
    expect(text).toBe("bcda");
    expect(pieces.at(-1)!.end).toBe("context");
  });

  test("ends at an end token, with what was held back before it", async () => {
    const { text, pieces } = await write({}, { endTokens: [100, 200], stop: ["bcx"] });
    expect(text).toBe("bc");
    expect(pieces.at(-1)).toEqual({ token: 100, text: "bc", end: "endToken" });
  });

  test("streams whole characters", async () => {
    const { pieces } = await write({ cycle: "aé€" }, { maxTokens: 6 });
    expect(pieces.map(({ text }) => text)).toEqual(["", "é", "", "", "€", "a"]);
    expect((await write({ cycle: "aé€" }, { maxTokens: 4 })).text).toBe("é\ufffd");
  });

  test.each([
    [undefined, "bcd"],
    ["cdx", "bcd"], // of which "cd" was held back
  ])("ends after the token at hand on an abort, with what was held back for %s", async (stop, expected) => {
    const controller = new AbortController();
    await using generator = await createGenerator({
      backend: referenceBackend(),
      model: bigrams(64),
      weights: writing("abcd"),
    });
    const pieces: Generated[] = [];
    const options = { maxTokens: 50, tokenizer, signal: controller.signal, ...(stop && { stop: [stop] }) };
    for await (const piece of generator.generate(tokenizer.encode("a"), options)) {
      pieces.push(piece);
      if (pieces.length === 3) controller.abort();
    }
    expect(pieces.map(({ text }) => text).join("")).toBe(expected);
    expect(pieces.at(-1)).toEqual({ text: stop ? "cd" : "", end: "abort" });
    expect(pieces.filter(({ end }) => end)).toHaveLength(1);
  });

  test("an abort ends a prompt under way, and what it was given is given back", async () => {
    const config = { ...dense, vocabulary: 256, dModel: 64, dFf: 256, maxLength: 1024 };
    const model = scalingLM(config);
    const { backend, seen } = countingBackend();
    await using generator = await createGenerator({ backend, model, weights: initialize(model.params, 2) });
    const before = seen.held;
    const late: number[] = [];
    for (let i = 0; i < 3; i++) {
      const controller = new AbortController();
      let aborted = 0;
      setTimeout(() => {
        aborted = performance.now();
        controller.abort();
      }, 200);
      const options = { maxTokens: 5, tokenizer, signal: controller.signal };
      const pieces: Generated[] = [];
      for await (const piece of generator.generate(new Int32Array(1000).fill(65), options)) pieces.push(piece);
      late.push(performance.now() - aborted);
      expect(pieces).toEqual([{ text: "", end: "abort" }]);
    }
    // The best of three, since another process may have the processor meanwhile.
    expect(Math.min(...late), "milliseconds from the abort").toBeLessThan(100);
    expect(seen.held).toBe(before);
    const again: Generated[] = [];
    for await (const piece of generator.generate(tokenizer.encode("ab"), { maxTokens: 2, tokenizer }))
      again.push(piece);
    expect(again).toHaveLength(2);
  });

  test("a graph that did not compile is compiled anew by the next call, and concurrent ones are told", async () => {
    const driver = referenceDriver();
    let failures = 1;
    const backend = createBackend({
      ...driver,
      async compile(graph, options) {
        if (failures-- > 0) throw new Error("no memory just now");
        return driver.compile(graph, options);
      },
    });
    await using generator = await createGenerator({ backend, model: bigrams(64), weights: writing("abcd") });
    const text = async (prompt: string, stop: string[] = []) => {
      let written = "";
      const options = { maxTokens: 3, tokenizer, stop };
      for await (const piece of generator.generate(tokenizer.encode(prompt), options)) written += piece.text;
      return written;
    };
    const broken = await Promise.allSettled([text("a"), text("b")]);
    expect(broken.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    const mixed = await Promise.allSettled([text("a"), text(""), text("b"), text("c", [""])]);
    expect(mixed.map((one) => (one.status === "fulfilled" ? one.value : `${one.reason}`))).toEqual([
      "bcd",
      expect.stringContaining("the prompt is empty"),
      "cda",
      expect.stringContaining("a stop sequence must not be empty"),
    ]);
  });

  test("the seed decides the text", async () => {
    const model = scalingLM({ ...dense, vocabulary: 256 });
    const weights = initialize(model.params, 2);
    const sample = async (seed: number) => {
      await using generator = await createGenerator({ backend: referenceBackend(), model, weights });
      const tokens: number[] = [];
      for await (const { token } of generator.generate(Int32Array.of(65), { maxTokens: 12, tokenizer, seed, topK: 50 }))
        tokens.push(token!); // nothing is aborted
      return tokens;
    };
    const first = await sample(1);
    expect(await sample(1)).toEqual(first);
    expect(await sample(2)).not.toEqual(first);
  });

  test("refuses a prompt or an option that cannot be, in one sentence", async () => {
    await expect(write({ prompt: "" })).rejects.toThrow("the prompt is empty");
    await expect(write({ prompt: "abcdabcda", maxLength: 8 })).rejects.toThrow(
      "the prompt has 9 tokens, more than the model's context of 8",
    );
    await expect(write({}, { maxTokens: 0 })).rejects.toThrow("the tokens to write must be at least 1, not 0");
    await expect(write({}, { temperature: -1 })).rejects.toThrow("temperature");
    await expect(write({}, { stop: [""] })).rejects.toThrow("a stop sequence must not be empty");
  });
});

/** The reference, which tells how many large values it was given and which graphs it compiled. */
function watched() {
  const inner = referenceBackend();
  const seen = { large: 0, compiled: [] as string[] };
  const backend: Backend = {
    ...inner,
    upload(value) {
      if (value.data.length > 1000) seen.large++;
      return inner.upload(value);
    },
    compile(program, options) {
      seen.compiled.push(program.name);
      return inner.compile(program, options);
    },
  };
  return { backend, seen };
}

test("a token that only the model has is written without a text", async () => {
  const model = scalingLM({ ...dense, vocabulary: 2000 });
  const weights = initialize(model.params, 5);
  await using generator = await createGenerator({ backend: referenceBackend(), model, weights });
  const written: Generated[] = [];
  const options = { maxTokens: 20, temperature: 1, seed: 1, tokenizer: byteTokenizer() };
  for await (const part of generator.generate(Int32Array.of(72, 105), options)) written.push(part);
  expect(written).toHaveLength(20);
  const unknown = written.filter(({ token = 0 }) => token >= 256);
  expect(unknown.length).toBeGreaterThan(5);
  expect(unknown.slice(0, -1).every(({ text }) => text === "" || text === "\uFFFD")).toBe(true);
});

test("weights that are buffers are used as they are, and left to their owner", async () => {
  const { backend, seen } = watched();
  const own = backend.upload(writing("ab").get("table")!);
  const dispose = vi.spyOn(own, Symbol.dispose);
  const generator = await createGenerator({ backend, model: bigrams(16), weights: new Map([["table", own]]) });
  const written = generator.generate(tokenizer.encode("a"), { maxTokens: 3, tokenizer, temperature: 0 });
  let text = "";
  for await (const piece of written) text += piece.text;
  expect(text).toBe("bab");
  await generator[Symbol.asyncDispose]();
  expect(seen.large).toBe(1);
  expect(dispose).not.toHaveBeenCalled();
});

test("few graphs serve every prompt, and each is compiled once", async () => {
  const { backend, seen } = watched();
  const model = bigrams(200);
  await using generator = await createGenerator({ backend, model, weights: writing("ab") });
  for (const length of [64 + 8 + 1, 64 + 8 + 3, 64]) {
    using session = generator.start();
    await session.prefill(new Int32Array(length).fill(97));
    await session.step(98);
  }
  expect(seen.compiled.toSorted()).toEqual([
    "decode of 1 at 128",
    "decode of 64 at 128",
    "decode of 64 at 64",
    "decode of 8 at 128",
  ]);
});

test("weights of another model are refused", async () => {
  const model = scalingLM(dense);
  await expect(createGenerator({ backend: referenceBackend(), model, weights: writing("ab") })).rejects.toThrow(
    "the set of weights does not fit the model's",
  );
});
