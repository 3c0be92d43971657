import {
  evaluate,
  gradient,
  graph,
  type HostTensor,
  hostTensor,
  input,
  mul,
  reduceSum,
  type Tensor,
} from "@finegrain/graph";
import { describe, expect, test } from "vitest";
import {
  type Case,
  catalogs,
  evaluation,
  initialize,
  leaves,
  type ModelConfig,
  mapParams,
  type Options,
  scalingLM,
} from "../src/index.ts";
import { base, decoded, full, nothing, stepped } from "./small-model.ts";

/*
 * What must hold of every layer in the catalogs, on the cases that its own definition names.
 */

interface AnyLayer {
  readonly name: string;
  readonly options: Options;
  readonly cases: readonly Case<Readonly<Record<string, unknown>>>[];
}
const layers = Object.entries(catalogs).flatMap(([field, catalog]) =>
  Object.values(catalog).map((layer: AnyLayer): [string, AnyLayer, string] => [`${field} ${layer.name}`, layer, field]),
);

/** A small model with `options` for the layer in `field`, checked as any config is. */
const configOf = (field: string, { name }: AnyLayer, options: object): ModelConfig =>
  ({ ...base, [field]: { type: name, ...options } }) as ModelConfig;

/** Whether a causal language model may have it. */
function isCausal(config: ModelConfig): boolean {
  try {
    scalingLM(config);
    return true;
  } catch (error) {
    expect((error as Error).message).toContain("cannot be in a causal language model");
    return false;
  }
}

describe.each(layers)("%s", (_, layer, field) => {
  test.each(layer.cases)("decodes as it says: %j", ({ options, decodes }) => {
    const config = configOf(field, layer, options);
    const causal = isCausal(config);
    if (decodes === "none") expect(causal).toBe(false);
    if (!causal || decodes === "none") return;
    const expected = full(configOf(field, layer, { ...options, ...decodes }));
    for (const chunks of [
      [1, 1, 1, 1, 1, 1],
      [5, 1],
    ]) {
      const ends = chunks.map((_, i) => chunks.slice(0, i + 1).reduce((a, b) => a + b) - 1);
      decoded(config, chunks).forEach((row, i) => {
        row.forEach((x, k) => {
          expect(x).toBeCloseTo(expected[ends[i]!]![k]!, 8);
        });
      });
    }
  });

  test.each(layer.cases)(
    "decodes streams of other lengths in one step as each by itself: %j",
    ({ options, decodes }) => {
      const config = configOf(field, layer, options);
      if (decodes === "none" || !isCausal(config)) return;
      const streams = [4, 1, 2].map((length) => stepped(config, [nothing(config)], length)[0]!.next);
      const alone = streams.map((stream) => stepped(config, [stream], 1)[0]!);
      const together = stepped(config, streams, 1);
      const again = stepped(
        config,
        together.map(({ next }) => next),
        1,
      );
      for (const [i, { logits, next }] of alone.entries()) {
        const [behind] = stepped(config, [next], 1);
        for (const [k, x] of logits.entries()) expect(together[i]!.logits[k]).toBeCloseTo(x, 8);
        for (const [k, x] of behind!.logits.entries()) expect(again[i]!.logits[k]).toBeCloseTo(x, 8);
      }
    },
  );

  test.each(layer.cases)("has the gradients of finite differences: %j", ({ options }) => {
    const plain = configOf(field, layer, options);
    const { expected, found } = slopes(
      { ...plain, layers: 1, objective: isCausal(plain) ? "causal" : "masked" },
      field,
    );
    expect(found.length).toBe(expected.length);
    for (const [i, slope] of expected.entries())
      expect(Math.abs(found[i]! - slope)).toBeLessThan(1e-5 * (1 + Math.abs(slope)));
  });

  const [{ options: usual }] = layer.cases as [Case<object>];
  test("refuses an option that it has not", () => {
    expect(() => scalingLM(configOf(field, layer, { ...usual, unheardOf: 1 }))).toThrow(
      `model config: ${field} of type ${layer.name} has no option "unheardOf"`,
    );
  });

  const wrong = Object.entries(layer.options).flatMap(([name, { range, refused }]) =>
    refused.map((value): [string, unknown, string] => [name, value, range]),
  );
  test.runIf(wrong.length > 0).each(wrong)("refuses %s %j", (name, value, range) => {
    const shown = typeof value === "number" ? `${value}` : JSON.stringify(value);
    expect(() => scalingLM(configOf(field, layer, { ...usual, [name]: value }))).toThrow(
      `model config: ${field}.${name} must be ${range}, not ${shown}`,
    );
  });
});

/** Numbers in (-1, 1) that look drawn. */
const noise = (length: number, seed: number): Float64Array =>
  Float64Array.from({ length }, (_, i) => Math.sin(12.9898 * (i + 1) + 78.233 * seed));

const STEP = 1e-6;

/**
 * The slope of a loss along one direction of every weight of the layer in `field`: by its gradient, and by differences.
 */
function slopes(config: ModelConfig, field: string): { found: number[]; expected: number[] } {
  const model = scalingLM(config);
  const shape = [2, 6];
  const [tokens, readout] = [input(shape, "int32"), input([...shape, config.vocabulary])];
  const w = mapParams(model.params, ({ shape: own }) => input(own));
  const weights = leaves<Tensor>(w as never); // a tree of tensors
  const loss = reduceSum(mul(model.logits(w, tokens, evaluation), readout), { axes: [0, 1, 2] });
  const tried = weights.filter(([path]) =>
    path.split(".").some((name) => name.toLowerCase().includes(field.toLowerCase())),
  );
  const inputs = [...weights.map(([, tensor]) => tensor), tokens, readout];
  const derivatives = gradient(
    loss,
    tried.map(([, tensor]) => tensor),
  );
  const program = graph({ inputs, outputs: [loss] });
  const values = [...initialize(model.params, 5)].map(([path, { data, shape: own }]) => ({
    path,
    shape: own,
    data: Float64Array.from(data),
  }));
  const given = [
    hostTensor(
      "int32",
      shape,
      Array.from({ length: 12 }, (_, i) => (i * 5 + 3) % config.vocabulary),
    ),
    hostTensor("float32", [...shape, config.vocabulary], noise(12 * config.vocabulary, 1)),
  ];
  /** Weights with `by` times its direction added to the one at `path`. */
  const moved = (path: string, by: number): HostTensor[] => [
    ...values.map(({ path: own, shape: extents, data }) => {
      const direction = noise(data.length, 2);
      const numbers = own === path ? data.map((x, i) => x + by * direction[i]!) : data;
      return { dtype: "float32", shape: extents, data: numbers } as unknown as HostTensor; // the evaluator computes in float64
    }),
    ...given,
  ];
  const at = (path: string, by: number): number => evaluate(program, moved(path, by))[0]!.data[0]!;
  const gradients = tried.length === 0 ? [] : evaluate(graph({ inputs, outputs: derivatives }), moved("", 0));
  const found = gradients.map(({ data }) => {
    const direction = noise(data.length, 2);
    return [...data].reduce((sum, slope, i) => sum + slope * direction[i]!, 0);
  });
  return { found, expected: tried.map(([path]) => (at(path, STEP) - at(path, -STEP)) / (2 * STEP)) };
}
