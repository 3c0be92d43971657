import {
  type Backend,
  byteSize,
  createBackend,
  type Graph,
  type HostTensor,
  referenceBackend,
  referenceDriver,
} from "@finegrain/graph";
import { expect, test } from "vitest";
import { type Progress, runSuite } from "../src/measure/run-suite.ts";
import { isMeasurement, type Result } from "../src/results/result.ts";
import { parseSuite } from "../src/suites/parse-suite.ts";

const model = { vocabulary: 16, dModel: 8, dFf: 16, layers: 1, heads: 2, maxLength: 16 };
const variants = [
  { name: "dense", model: {} },
  { name: "sparse-ff", model: { feedForward: { type: "sparse", blockSize: 4, rank: 2 } } },
];
const tiny = parseSuite(
  {
    name: "tiny",
    title: "as small as it gets",
    cases: [
      { name: "d", phase: "decode", model, variants, measure: { prompt: 4, units: 2, rounds: 3, warmup: 1 } },
      { name: "t", phase: "train", model, variants, measure: { batch: 2, length: 8, units: 1, rounds: 2, warmup: 1 } },
    ],
  },
  "tiny",
);

async function run(backend: Backend, options: { signal?: AbortSignal; onProgress?(progress: Progress): void } = {}) {
  const all: Result[] = [];
  for await (const results of runSuite(tiny, { backend, ...options })) all.push(...results);
  return all;
}

test("measures decode and training of every variant", async () => {
  const activities = new Set<string>();
  const results = await run(referenceBackend(), { onProgress: ({ activity }) => activities.add(activity) });
  expect(results.filter(isMeasurement)).toHaveLength(4);
  const [dense, sparse, trained] = results.filter(isMeasurement);
  expect(dense).toMatchObject({
    suite: "tiny",
    case: "d",
    phase: "decode",
    backend: "reference",
    variant: "dense",
    rounds: 3,
  });
  expect(dense!.overDense).toEqual({ median: 1, low: 1, high: 1 });
  expect(dense!.tokensPerSecond.median).toBeGreaterThan(0);
  expect(dense!.millisecondsPerToken).toBeCloseTo(1000 / dense!.tokensPerSecond.median, 6);
  expect(dense!.machine.bandwidthBytesPerSecond).toBeGreaterThan(1e8);
  // Of a model so small everything is read but the rows of the embeddings that were not asked for.
  expect(dense!.bytesPerToken).toBeGreaterThan(0.7 * 4 * dense!.parameters);
  // One unit of four: three quarters of both matrices stay unread.
  expect(sparse!.bytesPerToken! / sparse!.parameters).toBeLessThan(dense!.bytesPerToken! / dense!.parameters);
  expect(trained).toMatchObject({ phase: "train", bytesPerToken: null, rounds: 2 });
  expect(trained!.rooflineShare).toBeGreaterThan(0);
  expect(trained!.rooflineShare).toBeLessThan(1);
  expect(trained!.machine.gemmFlopsPerSecond).toBeGreaterThan(0);
  expect([...activities]).toEqual(expect.arrayContaining(["compiling dense", "compiling sparse-ff", "measuring"]));
});

test("measures a layer alone, forwards and backwards, whatever it draws", async () => {
  const layers = parseSuite(
    {
      name: "layers",
      title: "one layer",
      cases: [
        {
          name: "l",
          phase: "layer",
          model: { dModel: 8, dFf: 16 },
          variants: [
            { name: "dense", model: {} },
            { name: "grouped", model: { feedForward: { type: "grouped", experts: 2, groupSize: 2 } } },
            { name: "switch", model: { feedForward: { type: "switch", experts: 2 } } },
            { name: "wrong", model: { feedForward: { type: "grouped", experts: 3, groupSize: 2 } } },
          ],
          measure: { batch: 2, length: 4, units: 1, rounds: 2, warmup: 1 },
        },
      ],
    },
    "layers",
  );
  const results: Result[] = [];
  for await (const some of runSuite(layers, { backend: referenceBackend() })) results.push(...some);
  const measured = results.filter(isMeasurement);
  expect(measured.map(({ variant, parameters }) => [variant, parameters])).toEqual([
    ["dense", 2 * 8 * 16 + 16 + 8],
    ["grouped", 2 * 8 * 16 + 16 + 2 * 8], // no outer bias, and a controller
    ["switch", 2 * 8 * 16 + 8 + 2 * 8],
  ]);
  expect(measured.every(({ tokensPerSecond }) => tokensPerSecond.median > 0)).toBe(true);
  expect(results.at(-1)).toMatchObject({ error: "model config: dFf 16 is not a multiple of feedForward.experts 3" });
});

test("a batch of a case that decodes is so many texts in one step", async () => {
  const results: Result[] = [];
  const suite = { ...tiny, cases: tiny.cases.slice(0, 1) };
  for (const batch of [1, 3])
    for await (const some of runSuite(suite, { backend: referenceBackend(), batch })) results.push(...some);
  const [one, , three] = results.filter(isMeasurement);
  expect([one!.case, three!.case]).toEqual(["d, batch 1", "d, batch 3"]);
  // A step of three reads the weights once.
  expect(three!.bytesPerToken! / one!.bytesPerToken!).toBeLessThan(0.5);
  expect(three!.bytesPerToken! / one!.bytesPerToken!).toBeGreaterThan(1 / 3);
});

test("a variant that fails is a line, and the run goes on", async () => {
  const reference = referenceBackend();
  // Sparse layers alone choose by argmax.
  const withoutArgMax: Backend = {
    ...reference,
    async compile<I, O>(graph: Graph<I, O>) {
      if (graph.nodes.some(({ op }) => op === "argMax")) throw new Error("argMax is not supported");
      return reference.compile(graph);
    },
  };
  const results = await run(withoutArgMax);
  expect(results.map(({ variant }) => variant)).toEqual(["dense", "sparse-ff", "dense", "sparse-ff"]);
  expect(results[1]).toMatchObject({ variant: "sparse-ff", error: "argMax is not supported" });
  expect(results[1]).not.toHaveProperty("tokensPerSecond");
  expect(isMeasurement(results[2]!)).toBe(true);
});

test("a backend whose limits cannot be measured is a line for every variant", async () => {
  const broken: Backend = {
    ...referenceBackend(),
    device: { kind: "cuda", description: "a card", provider: "none" },
    upload() {
      throw new Error("the card is gone");
    },
  };
  const results = await run(broken);
  expect(results.map(({ case: name, variant }) => `${name} ${variant}`)).toEqual([
    "d dense",
    "d sparse-ff",
    "t dense",
    "t sparse-ff",
  ]);
  for (const result of results) expect(result).toMatchObject({ device: "a card", error: "the card is gone" });
});

/** The reference backend, with so many bytes for what is uploaded. */
function withMemory(bytes: number): Backend {
  const driver = referenceDriver();
  const uploaded = new Set<HostTensor>();
  let used = 0;
  return createBackend({
    ...driver,
    upload(value) {
      if (used + byteSize(value) > bytes) throw new Error("out of memory");
      const copy = driver.upload(value);
      uploaded.add(copy);
      used += byteSize(copy);
      return copy;
    },
    free(value) {
      if (uploaded.delete(value)) used -= byteSize(value);
    },
  });
}

test("a variant that does not fit beside the others is measured beside dense alone", async () => {
  const large = { name: "large", model: { dFf: 4096 } }; // 262 kB of feed-forward
  const larger = { name: "larger", model: { dFf: 8192 } };
  const measure = { batch: 2, length: 4, units: 1, rounds: 2, warmup: 0 };
  const entry = { name: "l", phase: "layer", model: { dModel: 8, dFf: 16 }, measure };
  const cases = [{ ...entry, variants: [{ name: "dense", model: {} }, large, larger] }];
  const layers = parseSuite({ name: "layers", title: "large ones", cases }, "layers");
  const runWith = async (bytes: number) => {
    const results: Result[] = [];
    for await (const some of runSuite(layers, { backend: withMemory(bytes) })) results.push(...some);
    return results;
  };
  // All together take 2.3 MB, larger beside dense 1.6, large 0.8.
  const all = await runWith(4e6);
  expect(all.map((result) => isMeasurement(result) && result.overDense !== null)).toEqual([true, true, true]);
  const apart = await runWith(2e6);
  expect(apart.map((result) => isMeasurement(result) && result.overDense !== null)).toEqual([true, true, true]);
  const never = await runWith(1e6);
  expect(never.map((result) => ("error" in result ? result.error : "measured"))).toEqual([
    "measured",
    "measured",
    "out of memory",
  ]);
});

test("a variant that needs more memory than is free is a line, and the others are measured", async () => {
  const wide = { ...model, dModel: 2 ** 17, dFf: 2 ** 20 }; // half a terabyte of feed-forward
  const suite = parseSuite(
    {
      name: "wide",
      title: "one that does not fit",
      cases: [
        {
          name: "d",
          phase: "decode",
          variants: [
            { name: "dense", model: wide },
            { name: "small", model },
          ],
          measure: { prompt: 4, units: 2, rounds: 2, warmup: 0 },
        },
      ],
    },
    "wide",
  );
  const results: Result[] = [];
  for await (const some of runSuite(suite, { backend: referenceBackend() })) results.push(...some);
  expect(results[0]).toMatchObject({
    variant: "dense",
    error: expect.stringMatching(/^does not fit: [\d.]+ GB of memory are needed, and [\d.]+ GB are free$/),
  });
  expect(results[1]).toMatchObject({ variant: "small", overDense: null, rounds: 2 });
});

test("tells of the results so far while rounds are measured", async () => {
  const rounds: number[] = [];
  await run(referenceBackend(), {
    onProgress({ case: name, activity, soFar }) {
      if (name === "d" && activity === "measuring")
        rounds.push(
          ...soFar()
            .filter(isMeasurement)
            .slice(0, 1)
            .map((r) => r.rounds),
        );
    },
  });
  expect(rounds).toEqual([1, 2]);
});

test("an abort keeps the cases that finished", async () => {
  const controller = new AbortController();
  const results = await run(referenceBackend(), {
    signal: controller.signal,
    onProgress: ({ case: name }) => name === "t" && controller.abort(),
  });
  expect(results.map((result) => result.case)).toEqual(["d", "d"]);
});
