import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { referenceBackend } from "@finegrain/graph";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openRun, type Run, readText, type TrainOptions, train } from "../src/index.ts";

/** Runs of models whose texts follow a source. */
const backend = referenceBackend();
const TEXT = "It was the best of times, it was the worst of times. ".repeat(30);
const small = { layers: 1, dModel: 8, dFf: 16, heads: 2 } as const;
const training = { steps: 4, batch: 2, length: 12, evaluateEvery: 2, checkpointEvery: 2, seed: 3 } as const;
const models = {
  terraformer: { ...small, encoder: { type: "terraformer" } },
  transformer: { ...small, encoder: { type: "transformer" } },
} as const satisfies Record<string, TrainOptions["model"]>;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "finegrain-sources-"));
});
afterEach(() => rm(folder, { recursive: true }));

const weightsOf = async (run: Run) =>
  Object.fromEntries([...(await run.weights())].map(([name, { data }]) => [name, [...data]] as const));

/** Lines of pairs, of which `extra` is put behind others. */
async function pairs(lines: readonly object[]): Promise<string> {
  const path = join(folder, "pairs.jsonl");
  await writeFile(path, lines.map((line) => JSON.stringify(line)).join("\n"));
  return path;
}
const PAIRS = { field: "target", sourceField: "source" };
const words = Array.from({ length: 30 }, (_, i) => `word ${i}`);

describe.each(Object.entries(models))("a %s", (_, model) => {
  test("learns spans of a text, writes behind a source, is judged, and goes on as if it had not stopped", async () => {
    const options = { backend, data: TEXT, model, training };
    await using whole = await train(options);
    expect(whole.config.model).toMatchObject({ vocabulary: 384, maxLength: 12, encoder: { layers: 1, maxLength: 24 } });
    const interrupt = new AbortController();
    const onStep = ({ step }: { readonly step: number }) => step === 2 && interrupt.abort();
    const out = join(folder, "run");
    await using stopped = await train({ ...options, out, signal: interrupt.signal, onStep });
    expect(stopped.step).toBe(2);
    await using run = await train({ backend, resume: out, data: TEXT });
    const expected = await weightsOf(whole);
    for (const [name, values] of Object.entries(await weightsOf(run)))
      for (const [i, value] of values.entries()) expect(value, name).toBeCloseTo(expected[name]![i]!, 5);

    await using opened = await openRun(out, { backend });
    const { bitsPerToken, bitsPerByte, tokens } = await opened.evaluate(TEXT);
    expect(tokens).toBeGreaterThan(0);
    // A target of a byte a token, with sentinels and ends besides.
    expect(bitsPerByte).toBeGreaterThan(bitsPerToken);
    let text = "";
    for await (const piece of opened.generate("", { source: "It was the", maxTokens: 4, temperature: 0 }))
      text += piece.text;
    expect(text.length).toBeGreaterThan(0);
    await expect(opened.generate("It").next()).rejects.toThrow("this model's texts follow a source: give it one");
    await expect(opened.generate("", { source: "long ".repeat(9) }).next()).rejects.toThrow(
      "the source has 46 tokens, more than the 24 that the model's encoder takes",
    );
  });

  test("learns pairs", async () => {
    const data = await readText(await pairs(words.map((target) => ({ source: `${target}!`, target }))), PAIRS);
    await using run = await train({ backend, data, model, training, out: join(folder, "run") });
    expect(run.config).toMatchObject({ textField: "target", sourceField: "source" });
    await using again = await openRun(join(folder, "run"), { backend });
    expect((await again.evaluate()).tokens).toBe(2 * "word 00 ".length);
  });
});

describe("wrong input is refused in one sentence", () => {
  const model = models.terraformer;
  const asPairs = async (lines: readonly object[], options: Partial<TrainOptions> = {}) =>
    train({ backend, data: await readText(await pairs(lines), PAIRS), model, training, ...options });

  test("a line without a target", async () => {
    await expect(asPairs([{ source: "a", text: "b" }])).rejects.toThrow(
      'pairs.jsonl:1 has no string field "target": found source, text',
    );
  });
  test("a line without a source", async () => {
    await expect(asPairs([{ target: "a" }])).rejects.toThrow('has no string field "source": found target');
  });
  test("a source that is longer than the encoder takes", async () => {
    await expect(
      asPairs([{ source: "a".repeat(24), target: "b" }, ...words.map((target) => ({ source: "s", target }))]),
    ).rejects.toThrow("the source of pair 1 has 25 tokens with its end, more than the 24 that the model takes");
  });
  test("a target that is longer than the text may be", async () => {
    await expect(
      asPairs([{ source: "a", target: "b".repeat(12) }, ...words.map((target) => ({ source: "s", target }))]),
    ).rejects.toThrow("the target of pair 1 has 13 tokens with its end, more than the 12 that the model takes");
  });
  test("pairs for a language model alone", async () => {
    await expect(asPairs([{ source: "a", target: "b" }], { model: small })).rejects.toThrow(
      "is of pairs: they are for a model with an encoder",
    );
  });
  test("pairs of a text file", async () => {
    const path = join(folder, "text.txt");
    await writeFile(path, "no lines");
    await expect(readText(path, PAIRS)).rejects.toThrow("text.txt has no pairs: they are lines of a JSONL file");
  });
  test("sources that are too short for spans", async () => {
    const encoder = { type: "terraformer", maxLength: 2 } as const;
    await expect(train({ backend, data: TEXT, model: { ...small, encoder }, training })).rejects.toThrow(
      "sources of 2 tokens and targets of 12 are too short for spans",
    );
  });
});
