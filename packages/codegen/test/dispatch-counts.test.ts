import { readFileSync } from "node:fs";
import { decodeGraph } from "@finegrain/generate";
import { donations } from "@finegrain/graph";
import { type ModelConfig, scalingLM } from "@finegrain/nn";
import { adamW, stepGraph } from "@finegrain/train";
import { describe, expect, test } from "vitest";
import { fuse, type Program, schedule } from "../src/index.ts";

/** The model of a variant of a suite, with as many layers. */
function model(suite: string, variant: string, layers: number) {
  const text = readFileSync(new URL(`../../../benchmarks/suites/${suite}.json`, import.meta.url), "utf8");
  // The suites' own tests check their form.
  const [given] = (JSON.parse(text) as { cases: { model: ModelConfig; variants: Variant[] }[] }).cases;
  const changes = given!.variants.find(({ name }) => name === variant)!.model;
  return scalingLM({ ...given!.model, ...changes, layers });
}
interface Variant {
  readonly name: string;
  readonly model: Partial<ModelConfig>;
}

/** As for devices that get dispatches. */
const fusing = { copyOperands: false, computeParts: true };

function decodeStep(variant: string, layers: number, suite = "paper-800m"): Program {
  const decoded = model(suite, variant, layers);
  const { graph, donate } = decodeGraph(decoded, { tokens: 1, capacity: Math.min(1024, decoded.config.maxLength) });
  return fuse(graph, donations(graph, donate), fusing);
}

const trainStep = (variant: string, layers: number): Program =>
  fuse(
    stepGraph({ model: model("train-small", variant, layers), optimizer: adamW({}), batch: 8, length: 256 }),
    [],
    fusing,
  );

/** Dispatches that a layer adds, on a device that binds as many buffers; 8 is what WebGPU promises. */
function perLayer(program: (layers: number) => Program, maxBuffers: number): number {
  const [few, many] = [3, 6].map((layers) => schedule(program(layers), { maxBuffers }).length);
  return (many! - few!) / 3;
}

describe.each([8, 16])("with %d buffers, the dispatches of a layer", (maxBuffers) => {
  test.each([
    ["dense", 8],
    ["sparse-ff", 10],
    ["sparse-ff-qkv", 10],
    ["sparse-ff-qkv-loss", 10],
  ])("of a decode step, %s, are at most %d", (variant, most) => {
    expect(perLayer((layers) => decodeStep(variant, layers), maxBuffers)).toBeLessThanOrEqual(most);
  });

  test.each([
    ["dense", 40],
    ["sparse-ff", 40],
  ])("of a train step, %s, are at most %d", (variant, most) => {
    expect(perLayer((layers) => trainStep(variant, layers), maxBuffers)).toBeLessThanOrEqual(most);
  });
});

test("with 16 buffers, a layer of 17 billion weights' decode step, all sparse, adds at most 10 dispatches", () => {
  expect(perLayer((layers) => decodeStep("sparse-ff-qkv", layers, "paper-17b-block"), 16)).toBeLessThanOrEqual(10);
});
