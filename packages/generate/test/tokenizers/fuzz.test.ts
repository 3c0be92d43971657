import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { FinegrainError } from "@finegrain/graph";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { huggingFaceTokenizer } from "../../src/index.ts";

const RUNS = 10_000;
const TIME_LIMIT = 20_000; // ms

type Json = null | boolean | number | string | Json[] | { [field: string]: Json };

const files = (
  JSON.parse(gunzipSync(readFileSync(new URL("cases.json.gz", import.meta.url))).toString("utf8")) as {
    file: { model: { vocab: Json; merges?: Json[] } } & { [field: string]: Json };
  }[]
).map(({ file }) => file);

/** A drawn file with a small vocabulary, so that 10,000 of them are quick. */
const small = files.map((file) => {
  const { vocab, merges } = file.model;
  const few = Array.isArray(vocab)
    ? vocab.slice(0, 20)
    : Object.fromEntries(Object.entries(vocab as { [token: string]: Json }).slice(0, 20));
  return { ...file, model: { ...file.model, vocab: few, ...(merges && { merges: merges.slice(0, 1) }) } } as Json;
});

/** Put `value` in the place that `steps` lead to, each a choice among the fields there. */
function replaced(json: Json, steps: readonly number[], value: Json): Json {
  const [step, ...rest] = steps;
  if (step === undefined || typeof json !== "object" || json === null) return value;
  const keys = Object.keys(json);
  if (keys.length === 0) return value;
  const key = keys[step % keys.length]!;
  if (Array.isArray(json)) return json.map((item, k) => (String(k) === key ? replaced(item, rest, value) : item));
  return { ...json, [key]: replaced(json[key]!, rest, value) };
}

const value = fc.oneof(
  fc.constantFrom<Json>(null, "", -1, 0, 1e9, 0.5, true, "Sequence", [], {}),
  fc.jsonValue() as fc.Arbitrary<Json>,
);
const broken = fc
  .tuple(fc.constantFrom(...small), fc.array(fc.nat(1000), { minLength: 1, maxLength: 5 }), value)
  .map(([file, steps, changed]) => JSON.stringify(replaced(file, steps, changed)));
const json = fc.oneof({ weight: 6, arbitrary: broken }, fc.json(), fc.string());

test("any file is a tokenizer that encodes any text, or is refused in one sentence", {
  timeout: 2 * TIME_LIMIT,
}, async () => {
  await fc.assert(
    fc.asyncProperty(json, fc.string({ unit: "binary" }), async (file, text) => {
      try {
        const tokenizer = await huggingFaceTokenizer(file, "t");
        tokenizer.decode(tokenizer.encode(text));
      } catch (error) {
        if (!(error instanceof FinegrainError)) throw error;
        expect(error.message).not.toContain("\n");
      }
    }),
    { numRuns: RUNS, interruptAfterTimeLimit: TIME_LIMIT },
  );
});
