import { expectClose, randomValue } from "@finegrain/backend-testkit";
import {
  type Buffer,
  crossEntropy,
  gradient,
  graph,
  hostTensor,
  input,
  mul,
  reduceSum,
  relu,
  scalar,
  type Tensor,
  zeroTensor,
} from "@finegrain/graph";
import { dense, embedding, evaluation, layerNorm } from "@finegrain/nn";
import { adamW } from "@finegrain/train";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, expect, test } from "vitest";
import { tfjsBackend } from "../src/index.ts";
import { engines } from "./engines.ts";

/** tfjs's own layers, gradients and Adam run on its plain backend: others have no kernel for an embedding's gradient. */
const THEIRS = "cpu";

const [V, D, F, BATCH, TIME] = [7, 6, 10, 2, 5] as const;
const [STEPS, RATE, EPSILON] = [5, 0.05, 1e-3] as const;
const SHAPES = { table: [V, D], scale: [D], shift: [D], inner: [D, F], innerBias: [F], outer: [F, V], outerBias: [V] };
type Name = keyof typeof SHAPES;
const names = Object.keys(SHAPES) as Name[];
const weights = names.map((name, seed) => randomValue({ dtype: "float32", shape: SHAPES[name] }, seed + 1));
const tokens = randomValue({ dtype: "int32", shape: [BATCH, TIME], below: V }, 20);
const targets = randomValue({ dtype: "int32", shape: [BATCH, TIME], below: V }, 21);

/** Losses of the steps and the last weights. */
interface Course {
  readonly losses: number[];
  readonly weights: readonly { readonly data: ArrayLike<number> }[];
}

/** embedding -> layer norm -> dense, relu -> dense -> softmax cross-entropy, by tfjs's layers, gradients and Adam. */
async function theirs(): Promise<Course> {
  tf.enableProdMode(); // no advice on the console
  await tf.setBackend(THEIRS);
  const model = tf.sequential({
    layers: [
      tf.layers.embedding({ inputDim: V, outputDim: D, inputLength: TIME }),
      tf.layers.layerNormalization({ epsilon: EPSILON }),
      tf.layers.dense({ units: F, activation: "relu" }),
      tf.layers.dense({ units: V }),
    ],
  });
  model.setWeights(weights.map(({ data, shape }) => tf.tensor(data as Float32Array, [...shape])));
  const optimizer = tf.train.adam(RATE, 0.9, 0.999, 1e-8);
  const x = tf.tensor2d(tokens.data as Int32Array, [BATCH, TIME], "int32");
  const labels = tf.oneHot(tf.tensor2d(targets.data as Int32Array, [BATCH, TIME], "int32"), V);
  const losses: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const loss = optimizer.minimize(
      () => tf.losses.softmaxCrossEntropy(labels, model.apply(x, { training: true }) as tf.Tensor) as tf.Scalar,
      true,
    )!;
    losses.push((await loss.data())[0]!);
  }
  return { losses, weights: await Promise.all(model.getWeights().map(async (w) => ({ data: await w.data() }))) };
}

/** The same of our layers and optimizer: weights and slots in, loss, weights and slots out. */
function trainStep() {
  const params = names.map((name) => input(SHAPES[name], "float32", name));
  const slots = names.flatMap((name) => ["m", "v"].map((slot) => input(SHAPES[name], "float32", `${name}.${slot}`)));
  const [ids, wanted, step] = [
    input([BATCH, TIME], "int32"),
    input([BATCH, TIME], "int32"),
    input([], "int32", "step"),
  ];
  const [table, scale, bias, inner, innerBias, outer, outerBias] = params as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const embedded = embedding({ vocabulary: V, dModel: D }).apply({ table }, ids, evaluation);
  const normal = layerNorm({ dModel: D, epsilon: EPSILON }).apply({ scale, bias }, embedded, evaluation);
  const hidden = relu(dense({ dIn: D, dOut: F }).apply({ kernel: inner, bias: innerBias }, normal, evaluation));
  const logits = dense({ dIn: F, dOut: V }).apply({ kernel: outer, bias: outerBias }, hidden, evaluation);
  const loss = mul(reduceSum(crossEntropy(logits, wanted), { axes: [0, 1] }), 1 / (BATCH * TIME));
  const optimizer = adamW({ weightDecay: 0 });
  const updates = gradient(loss, params).map((g, i) =>
    optimizer.update({
      param: params[i]!,
      gradient: g,
      slots: { m: slots[2 * i]!, v: slots[2 * i + 1]! },
      step,
      learningRate: scalar(RATE),
    }),
  );
  const state = [...updates.map(({ param }) => param), ...updates.flatMap(({ slots: s }) => [s.m!, s.v!])];
  return graph({ name: "step", inputs: [...params, ...slots, ids, wanted, step], outputs: [...state, loss] });
}

async function ours(device: (typeof engines)[number]): Promise<Course> {
  await using backend = await tfjsBackend({ device });
  const program = trainStep();
  const count = 3 * names.length;
  const donate = Array.from({ length: count }, (_, i) => `${i}`);
  using executable = await backend.compile(program, { donate });
  let state: readonly Buffer[] = program.inputs
    .slice(0, count)
    .map((type, i) => backend.upload(weights[i] ?? zeroTensor(type)));
  const losses: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const given = [tokens, targets, hostTensor("int32", [], [step])].map((value) => backend.upload(value));
    const outputs = executable.run([...state, ...given]);
    losses.push((await outputs.at(-1)!.read()).data[0]!);
    state = outputs.slice(0, -1);
  }
  return { losses, weights: await Promise.all(state.slice(0, names.length).map((buffer) => buffer.read())) };
}

let expected: Course;
beforeAll(async () => {
  expected = await theirs();
});

test("tfjs's own layers learn", () => {
  expect(expected.losses.at(-1)).toBeLessThan(expected.losses[0]! - 0.2);
});

test.each(engines)("%s trains as tfjs's own layers and Adam do", async (device) => {
  const found = await ours(device);
  found.losses.forEach((loss, step) => void expect(loss, `step ${step}`).toBeCloseTo(expected.losses[step]!, 5));
  names.forEach((name, i) => {
    const of = (course: Course) => hostTensor("float32", SHAPES[name], course.weights[i]!.data);
    expectClose(of(found), of(expected), 1e-4);
  });
});
