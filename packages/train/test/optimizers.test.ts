import { evaluate, graph, type HostTensor, hostTensor, input, size, type TensorType } from "@finegrain/graph";
import { describe, expect, test } from "vitest";
import { adafactor, adamW, momentum, type Optimizer } from "../src/optimizers/index.ts";

const values = (shape: readonly number[], seed: number): HostTensor =>
  hostTensor(
    "float32",
    shape,
    Float64Array.from({ length: size(shape) }, (_, i) => Math.sin(seed + 1.7 * i)),
  );

/** The parameter after every step of `gradients`, with the slots carried along. */
function train(optimizer: Optimizer, start: HostTensor, gradients: readonly HostTensor[], rate: number): number[][] {
  const [param, gradient] = [input(start.shape), input(start.shape)];
  const [step, learningRate] = [input([], "int32"), input([])];
  const types = optimizer.slots(start);
  const slots = Object.fromEntries(Object.entries(types).map(([name, type]) => [name, input(type.shape)]));
  const next = optimizer.update({ param, gradient, slots, step, learningRate });
  expect(Object.keys(next.slots).sort()).toEqual(Object.keys(types).sort());
  const names = Object.keys(types);
  const program = graph({
    inputs: [param, gradient, step, learningRate, ...names.map((name) => slots[name]!)],
    outputs: [next.param, ...names.map((name) => next.slots[name]!)],
  });
  let state: HostTensor[] = names.map((name) => zero(types[name]!));
  let current = start;
  return gradients.map((g, t) => {
    const at = hostTensor("int32", [], [t]);
    const out = evaluate(program, [
      current,
      g,
      at,
      { dtype: "float32", shape: [], data: Float64Array.of(rate) },
      ...state,
    ]);
    [current, state] = [out[0]!, out.slice(1)];
    return [...current.data];
  });
}

const zero = ({ dtype, shape }: TensorType): HostTensor => hostTensor(dtype, shape, new Uint8Array(size(shape)));

const start = values([2, 3], 5);
const gradients = [values([2, 3], 1), values([2, 3], 2), values([2, 3], 3)];

describe("adamW", () => {
  /** As the paper writes it, one weight at a time. */
  function textbook(weightDecay: number): number[][] {
    const [beta1, beta2, epsilon, rate] = [0.8, 0.95, 1e-3, 0.1];
    const w = [...start.data];
    const [m, v] = [w.map(() => 0), w.map(() => 0)];
    return gradients.map(({ data }, t) => {
      for (let i = 0; i < w.length; i++) {
        m[i] = beta1 * m[i]! + (1 - beta1) * data[i]!;
        v[i] = beta2 * v[i]! + (1 - beta2) * data[i]! ** 2;
        const hats = [m[i]! / (1 - beta1 ** (t + 1)), v[i]! / (1 - beta2 ** (t + 1))] as const;
        w[i] = w[i]! - rate * (hats[0] / (Math.sqrt(hats[1]) + epsilon) + weightDecay * w[i]!);
      }
      return [...w];
    });
  }

  test.each([0, 0.1])("is Adam with a weight decay of %d scaled by the learning rate", (weightDecay) => {
    const optimizer = adamW({ beta1: 0.8, beta2: 0.95, epsilon: 1e-3, weightDecay });
    const expected = textbook(weightDecay);
    for (const [t, row] of train(optimizer, start, gradients, 0.1).entries())
      for (const [i, x] of row.entries()) expect(x).toBeCloseTo(expected[t]![i]!, 10);
  });

  test("decays by a fixed part on demand, whatever the learning rate", () => {
    const still = gradients.map((gradient) => zero(gradient));
    const fixed = adamW({ weightDecay: 0.1, weightDecayScale: "fixed" });
    const [first] = train(fixed, start, still, 0.5);
    for (const [i, x] of first!.entries()) expect(x).toBeCloseTo(0.9 * start.data[i]!, 10);
  });

  test("decays less from step to step on demand, until none is left", () => {
    const still = [0, 1, 2].map(() => zero(gradients[0]!));
    const steps = train(adamW({ weightDecay: 0.1, weightDecayScale: "fixed", weightDecaySteps: 2 }), start, still, 0.5);
    for (const [i, x] of start.data.entries()) {
      expect(steps[1]![i]).toBeCloseTo(0.9 * 0.95 * x, 10);
      expect(steps[2]![i]).toBe(steps[1]![i]);
    }
  });
});

describe("momentum", () => {
  test.each([true, false])("follows a velocity, with Nesterov's look ahead: %s", (nesterov) => {
    const rows = train(momentum({ mass: 0.8, nesterov }), start, gradients, 0.1);
    const [w, v] = [[...start.data], [...start.data].map(() => 0)];
    for (const [t, { data }] of gradients.entries())
      for (let i = 0; i < w.length; i++) {
        v[i] = 0.8 * v[i]! + data[i]!;
        w[i] = w[i]! - 0.1 * (nesterov ? 0.8 * v[i]! + data[i]! : v[i]!);
        expect(rows[t]![i]).toBeCloseTo(w[i]!, 10);
      }
  });
});

describe("adafactor", () => {
  test("keeps rows and columns of a matrix, and a vector whole", () => {
    const shapes = (optimizer: Optimizer, shape: readonly number[]) =>
      Object.fromEntries(Object.entries(optimizer.slots({ shape })).map(([name, type]) => [name, type.shape]));
    expect(shapes(adafactor(), [4, 5])).toEqual({ row: [4], column: [5] });
    expect(shapes(adafactor(), [3, 4, 5])).toEqual({ row: [3, 4], column: [3, 5] });
    expect(shapes(adafactor({ beta1: 0.9 }), [4])).toEqual({ v: [4], m: [4] });
    expect(shapes(adafactor({ factored: false }), [4, 5])).toEqual({ v: [4, 5] });
  });

  test("moves no further than the clipped update of the weights' size", () => {
    const [first] = train(
      adafactor(),
      start,
      [{ ...gradients[0]!, data: gradients[0]!.data.map((x) => 1000 * x) }],
      0.01,
    );
    const rms = (x: readonly number[]) => Math.sqrt(x.reduce((sum, e) => sum + e * e, 0) / x.length);
    const moved = rms(first!.map((x, i) => x - start.data[i]!));
    expect(moved).toBeLessThanOrEqual(0.01 * rms([...start.data]) * (1 + 1e-9));
    expect(moved).toBeGreaterThan(0.005 * rms([...start.data]));
  });
});
