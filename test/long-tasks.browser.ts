import { longestTask } from "@finegrain/backend-testkit";
import { wasmBackend } from "@finegrain/backend-wasm";
import { huggingFaceTokenizer } from "@finegrain/generate";
import { type Backend, inTurns } from "@finegrain/graph";
import { scalingLM } from "@finegrain/nn";
import { adamW, createTrainer, tokenizeCorpus, tracingStep } from "@finegrain/train";
import { expect, test } from "vitest";

/** The part of some long work that its longest task is: the least of three, since another process may have the processor in any. */
async function shareOfLongest(work: () => Promise<unknown>): Promise<number> {
  const shares: number[] = [];
  for (let i = 0; i < 3 && !(Math.min(...shares) < 1 / 4); i++) {
    let took = 0;
    const longest = await longestTask(async () => {
      await new Promise((resolve) => setTimeout(resolve));
      const started = performance.now();
      await work();
      took = performance.now() - started;
    });
    expect(took).toBeGreaterThan(100);
    shares.push(longest / took);
  }
  return Math.min(...shares);
}

const model = scalingLM({ vocabulary: 256, dModel: 512, dFf: 2048, layers: 4, heads: 8, maxLength: 64 });
const config = { model, batch: 2, length: 64, optimizer: adamW(), clipNorm: 1 };
const trainerOn = (backend: Backend) => createTrainer({ ...config, backend, seed: 1, schedule: () => 1e-3 });

test("a training is compiled, begun and saved in many tasks of the page", { timeout: 60_000 }, async () => {
  await using backend = await wasmBackend({ threads: 1 });
  const compiling = async () => {
    using _ = await backend.compile(await inTurns(tracingStep(config)));
  };
  expect(await shareOfLongest(compiling)).toBeLessThan(1 / 4);
  const beginning = async () => {
    await using _ = await trainerOn(backend);
  };
  expect(await shareOfLongest(beginning)).toBeLessThan(1 / 4);
  await using trainer = await trainerOn(backend);
  const saving = () => Promise.all([trainer.weights(), trainer.state()]);
  expect(await shareOfLongest(saving)).toBeLessThan(1 / 4);
});

/** A tokenizer.json of pairs of letters, as a pre-tokenizer hands them on. */
function pairs(pre_tokenizer: object | null) {
  const letters = [..."abcdefghijklmnopqrstuvwxyz"];
  const joined = letters.flatMap((a) => letters.map((b) => [a, b] as const));
  const tokens = ["Ġ", " ", ".", ...letters, ...joined.map(([a, b]) => a + b)];
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  const model = { type: "BPE", vocab, merges: joined.map(([a, b]) => `${a} ${b}`) };
  return huggingFaceTokenizer(JSON.stringify({ model, pre_tokenizer }), "pairs");
}

test.each([
  ["in words", { type: "ByteLevel", add_prefix_space: false, use_regex: true }],
  ["as a whole", null],
])("a text becomes tokens %s in many tasks of the page", { timeout: 60_000 }, async (_, preTokenizer) => {
  let text = "";
  for (let k = 1; text.length < 400_000; k++) text += `${Math.imul(k, 2654435761).toString(36).replace(/\d|-/g, "")} `;
  const tokenizer = await pairs(preTokenizer);
  const encoding = () => tokenizeCorpus([{ name: "text", text }], tokenizer.encoding!);
  expect(await shareOfLongest(encoding)).toBeLessThan(1 / 4);
});
