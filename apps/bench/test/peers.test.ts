import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Backend, FinegrainError, referenceBackend } from "@finegrain/graph";
import type { SizedConfig } from "@finegrain/nn";
import { openPretrained } from "@finegrain/runs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, describe, expect, test } from "vitest";
import { runSuite } from "../src/measure/run-suite.ts";
import { decodeBytes, familyOf, parametersOf } from "../src/peers/dense-model.ts";
import { writeGguf } from "../src/peers/gguf.ts";
import { jaxJs } from "../src/peers/jax-js.ts";
import { llamaCpp } from "../src/peers/llama-cpp.ts";
import { onnxRuntime } from "../src/peers/onnx-runtime.ts";
import { openPeers, PEERS, peersNamed } from "../src/peers/open.ts";
import { isAbsence, type Peer } from "../src/peers/peer.ts";
import { pytorch } from "../src/peers/pytorch.ts";
import { isFailure, isMeasurement, isOpMeasurement, type Result } from "../src/results/result.ts";
import { parseSuite } from "../src/suites/parse-suite.ts";

const model = { vocabulary: 300, dModel: 8, dFf: 16, layers: 2, heads: 2, maxLength: 16 };
const measure = { prompt: 4, units: 2, rounds: 2, warmup: 1, batch: 2, length: 4 };
const variants = [
  { name: "dense", model: {} },
  { name: "sparse-ff", model: { feedForward: { type: "sparse", blockSize: 4, rank: 2 } } },
];
const grouped = { name: "grouped", model: { feedForward: { type: "grouped", experts: 2, groupSize: 2 } } };
const suite = parseSuite(
  {
    name: "tiny",
    title: "as small as it gets",
    cases: [
      { name: "d", phase: "decode", model, variants, measure: { prompt: 4, units: 2, rounds: 2, warmup: 1 } },
      { name: "p", phase: "prefill", model, variants: [variants[0]], measure: { prompt: 4, rounds: 2, warmup: 1 } },
      { name: "t", phase: "train", model, variants, measure: { batch: 2, length: 4, units: 1, rounds: 2, warmup: 1 } },
      {
        name: "l",
        phase: "layer",
        model: { dModel: 8, dFf: 16 },
        variants: [variants[0], grouped],
        measure: { batch: 2, length: 4, units: 1, rounds: 2, warmup: 1 },
      },
      {
        name: "m",
        phase: "op",
        op: "matrix product",
        variants: [{ name: "8 x 8 x 8", shape: { rows: 8, depth: 8, columns: 8 } }],
        measure: { rounds: 2, warmup: 1 },
      },
    ],
  },
  "tiny",
);
const place = { kind: "cpu", threads: 1 };

async function run(peers: readonly Peer[], backend: Backend = referenceBackend()): Promise<Result[]> {
  await using opened = await openPeers(peers, place);
  const all: Result[] = [];
  for await (const results of runSuite(suite, { backend, peers: opened })) all.push(...results);
  return all;
}

const schema = JSON.parse(readFileSync(new URL("../result.schema.json", import.meta.url), "utf8"));
const isValid = new Ajv2020({ allowUnionTypes: true }).compile(schema);
const key = ({ case: name, variant }: Result) => `${name} ${variant}`;

/** A peer of nothing: decodes dense models, in no time. */
const fake = (name: string, prepare: () => void = () => {}): Peer => ({
  name,
  scope: "decodes",
  open: async () => ({
    name: `${name}:cpu`,
    device: { kind: "cpu", description: "none", provider: `${name} 1.0` },
    async prepareModel({ phase, config }) {
      if (phase !== "decode" || config.feedForward) return undefined;
      prepare();
      return {
        differs: "GELU",
        parameters: 10,
        bytesPerToken: 40,
        round: async () => 0.5,
        async [Symbol.asyncDispose]() {},
      };
    },
    async [Symbol.asyncDispose]() {},
  }),
});

describe("a peer's lines", () => {
  test("have its name, what is another in its model, and its ratio to our dense variant", async () => {
    const results = await run([fake("fast")]);
    const [line, ...others] = results.filter(({ backend }) => backend.startsWith("fast"));
    expect(line).toMatchObject({
      case: "d",
      backend: "fast:cpu",
      variant: "dense (GELU)",
      parameters: 10,
      bytesPerToken: 40,
      millisecondsPerToken: 500,
      versions: { provider: "fast 1.0" },
      context: 4,
    });
    const ours = results.find(({ backend, variant }) => backend === "reference" && variant === "dense");
    if (!line || !isMeasurement(line) || !ours || !isMeasurement(ours)) throw new Error("two lines are missing");
    expect(line.overDense!.median).toBeCloseTo(2 / ours.tokensPerSecond.median, 1);
    // A case of which it has nothing is a line that says so.
    expect(others.map(({ case: name }) => name)).toEqual(["p", "t", "l", "m"]);
    for (const other of others)
      expect(other).toMatchObject({ absent: true, error: "has no variant of this case (decodes)" });
    for (const result of results) expect(isValid(result), JSON.stringify(isValid.errors)).toBe(true);
  });

  test("are a sentence where it is not there or fails, and the run goes on", async () => {
    const missing: Peer = { name: "missing", scope: "all", open: async () => ({ reason: "not installed (npm i it)" }) };
    const broken: Peer = { name: "broken", scope: "all", open: () => Promise.reject(new Error("no such symbol")) };
    const failing = fake("failing", () => {
      throw new FinegrainError("out of memory");
    });
    const results = await run([missing, broken, failing]);
    const errors = results.filter((r) => r.case === "d").filter(isFailure);
    expect(errors.map(({ backend, variant, error, absent }) => [backend, variant, error, absent])).toEqual([
      ["missing", "dense", "not installed (npm i it)", true],
      ["broken", "dense", "could not be opened: no such symbol", true],
      ["failing:cpu", "dense", "out of memory", undefined],
    ]);
    expect(results.filter(({ backend }) => backend === "reference").map(key)).toHaveLength(8);
  });

  test("are of peers that are known", () => {
    expect(peersNamed("pytorch, jax-js").map(({ name }) => name)).toEqual(["pytorch", "jax-js"]);
    expect(peersNamed("all")).toBe(PEERS);
    expect(() => peersNamed("tensorflow")).toThrow(
      'there is no peer "tensorflow": known are pytorch, llama.cpp, onnxruntime, jax-js, or all of them as "all"',
    );
  });
});

/** What a real peer must give: its variants of the suite, or the reason for which it is not there. */
async function holds(peer: Peer, reason: RegExp, expected: readonly string[]) {
  const opened = await peer.open(place);
  const on = isAbsence(opened) ? `absent: ${opened.reason}` : opened.device.provider;
  if (!isAbsence(opened)) await opened[Symbol.asyncDispose]();
  test(`${peer.name} (here ${on})`, async () => {
    const results = (await run([peer])).filter(({ backend }) => backend !== "reference");
    for (const result of results) expect(isValid(result), JSON.stringify(isValid.errors)).toBe(true);
    if (isAbsence(opened)) {
      expect(opened.reason).toMatch(reason);
      expect(results.map((result) => isFailure(result) && result.error)).toEqual(Array(5).fill(opened.reason));
      return;
    }
    expect(results.filter((r) => !isFailure(r)).map(key)).toEqual(expected);
    expect(results.filter(isFailure).filter(({ absent }) => !absent)).toEqual([]);
    for (const result of results.filter(isMeasurement)) {
      const isLayer = result.phase === "layer";
      const bias = result.backend.startsWith("llama.cpp") ? model.vocabulary : 0; // of its logits it has none
      const parameters = isLayer ? 2 * 8 * 16 + 16 + 8 : parametersOf(model) - bias;
      if (!result.variant.startsWith("grouped")) expect(result.parameters).toBe(parameters);
      expect(result.overDense!.median).toBeGreaterThan(0);
      if (result.phase !== "decode" && result.phase !== "prefill")
        expect(result.machine.gemmFlopsPerSecond).toBeGreaterThan(0);
    }
    for (const result of results.filter(isOpMeasurement)) expect(result.milliseconds.median).toBeGreaterThan(0);
  });
}

describe("the real ones", async () => {
  const all = ["d dense", "t dense", "l dense", "l grouped", "m 8 x 8 x 8"];
  await holds(pytorch(), /^not installed \(/, all);
  // Without its site-packages no Python has torch: the protocol's other half, wherever there is a Python.
  await holds(pytorch(["python3", "-S"]), /^not installed \(pip install torch\): No module named 'torch'$/, []);
  await holds(llamaCpp, /^not installed \(npm install node-llama-cpp\)$/, [
    "d dense (GPT-2: GELU, no bias of the logits)",
    "p dense (GPT-2: GELU, no bias of the logits)",
  ]);
  await holds(onnxRuntime, /^not installed \(npm install @finegrain\/backend-onnx onnxruntime-node\)$/, [
    "d dense",
    "p dense",
    "t dense",
    "l dense",
    "m 8 x 8 x 8",
  ]);
  await holds(jaxJs, /^not installed \(npm install @jax-js\/jax\)$/, ["l dense", "m 8 x 8 x 8"]);
});

test("a Python that is not there is an absence", async () => {
  expect(await pytorch(["finegrain-has-no-such-python"]).open(place)).toEqual({
    reason: "not installed (there is no finegrain-has-no-such-python on the PATH)",
  });
});

/** A model of Llama's kind, wide enough for formats of blocks. */
const llama: SizedConfig = {
  ...{ vocabulary: 300, dModel: 64, dFf: 96, layers: 2, heads: 4, maxLength: 16 },
  positions: "rotary",
  norm: "rms",
  feedForward: { type: "dense", activation: "swiglu", bias: false },
  attention: { type: "dense", kvHeads: 2, bias: "none" },
  loss: { type: "tied" },
};

test("models are of the family whose blocks they have", () => {
  expect(familyOf(model)).toBe("gpt2");
  expect(familyOf(llama)).toBe("llama");
  expect(familyOf({ ...llama, loss: { type: "dense", bias: false } })).toBe("llama");
  for (const other of [
    { norm: "layer" },
    { positions: "learned" },
    { loss: { type: "dense" } },
    { objective: "masked" },
  ])
    expect(familyOf({ ...llama, ...other } as SizedConfig), JSON.stringify(other)).toBeUndefined();
  for (const other of [
    { feedForward: { type: "sparse", blockSize: 4 } },
    { feedForward: { type: "dense", bias: false } },
    { attention: { type: "dense", headWidth: 8 } },
    { attention: { type: "dense", bias: "none" } },
    { attention: { type: "dense", normalize: true } },
  ])
    expect(familyOf({ ...model, ...other } as SizedConfig), JSON.stringify(other)).toBeUndefined();
});

describe("a GGUF file of random weights", async () => {
  const folder = await mkdtemp(join(tmpdir(), "finegrain-test-"));
  afterAll(() => rm(folder, { recursive: true }));

  test.each([
    ["gpt2", "float32"],
    ["llama", "float32"],
    ["llama", "float16"],
    ["llama", "int8"],
    ["llama", "int4"],
  ] as const)("of %s in %s is one that opens", async (family, storage) => {
    const config = family === "gpt2" ? model : llama;
    const path = join(folder, `${family}-${storage}.gguf`);
    const parameters = await writeGguf(path, config, { family, storage });
    const bias = family === "gpt2" ? config.vocabulary : 0; // of its logits it has none
    expect(parameters).toBe(parametersOf(config) - bias);
    const opened = await openPretrained(path);
    expect(opened.model).toMatchObject({ dModel: config.dModel, layers: 2, maxLength: 16 });
    for (const { data } of (await opened.weights()).values()) {
      const largest = (data as Float32Array).reduce((most, x) => Math.max(most, Math.abs(x)), 0); // float32 all
      expect(largest).toBeLessThan(0.05);
      expect(data.length === 1 || largest > 0.005).toBe(true);
    }
  });
});

test("bytes that a dense decode step reads are near what our own graph reads", async () => {
  const [dense] = await run([]);
  if (!dense || !isMeasurement(dense)) throw new Error("no dense line");
  const bytes = decodeBytes(model, dense.parameters, measure);
  expect(Math.abs(bytes / dense.bytesPerToken! - 1)).toBeLessThan(0.1);
});
