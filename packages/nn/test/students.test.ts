import { atOnce, evaluate, graph, hostTensor, input, type Tensor } from "@finegrain/graph";
import { describe, expect, test } from "vitest";
import {
  type Context,
  evaluation,
  initialize,
  type LanguageModel,
  type ModelConfig,
  openLedger,
  scalingLM,
  studentStart,
  traceWeights,
  training,
  writtenConfig,
  writtenWeights,
} from "../src/index.ts";

const dense: ModelConfig = { vocabulary: 11, dModel: 8, dFf: 16, layers: 2, heads: 2, maxLength: 6 };
const taught: ModelConfig = { ...dense, student: { feedForward: { type: "sparse", blockSize: 4, rank: 2 }, dFf: 24 } };
const ids = [[3, 1, 4, 1, 5]];

/** What a model makes of the tokens, and what its layers leave in the ledger. */
function run(
  model: LanguageModel,
  weights: ReturnType<typeof initialize>,
  context: Context,
  left: () => Tensor[] = () => [],
) {
  const traced = traceWeights(model.params, "float32");
  const tokens = input([1, 5], "int32", "tokens");
  const logits = model.logits(traced.weights, tokens, context);
  const paths = Object.keys(traced.stored);
  const whole = graph({ inputs: [...paths.map((path) => traced.stored[path]!), tokens], outputs: [logits, ...left()] });
  const values = [...paths.map((path) => weights.get(path)!), hostTensor("int32", [1, 5], ids.flat())];
  return evaluate(whole, values).map(({ data }) => Array.from(data));
}
const noRandom = { uniform: () => expect.fail("nothing here is random") };

describe("a student of every feed-forward layer", () => {
  const model = scalingLM(taught);
  const weights = initialize(model.params, 3);
  const teacher = scalingLM(dense);
  const ofTeacher = new Map([...weights].filter(([path]) => !path.includes(".student.")));

  test("is trained alone, while its teacher's output goes on", () => {
    const trained = [...weights.keys()].filter((path) => model.isTrained!(path));
    expect(trained.length).toBeGreaterThan(0);
    for (const path of trained) expect(path).toMatch(/^blocks\.\d\.feedForward\.student\./);
    const ledger = openLedger();
    const [logits, [missed]] = run(model, weights, training(noRandom, ledger), () => [
      ledger.losses.get("imitation")!,
    ]) as [number[], number[]];
    expect(logits).toEqual(run(teacher, ofTeacher, evaluation)[0]);
    expect(missed).toBeGreaterThan(0.1);
  });

  test("takes its teacher's place where the model is judged, and is a model of its own", () => {
    const own = writtenConfig(taught);
    expect(own).toEqual({ ...dense, feedForward: taught.student!.feedForward, dFf: 24 });
    const written = atOnce(writtenWeights(taught, weights));
    expect([...written.keys()].sort()).toEqual([...initialize(scalingLM(own).params, 0).keys()].sort());
    const found = run(model, weights, evaluation)[0];
    expect(found).toEqual(run(scalingLM(own), new Map(written), evaluation)[0]);
    expect(found).not.toEqual(run(teacher, ofTeacher, evaluation)[0]);
  });

  test("begins with what of its teacher's weights fits", () => {
    const same = scalingLM({ ...taught, student: { feedForward: taught.student!.feedForward } });
    const start = studentStart(same.params, ofTeacher);
    const kernel = ofTeacher.get("blocks.1.feedForward.inner.kernel")!; // [8, 16]
    const turned = start.get("blocks.1.feedForward.student.inner.kernel")!;
    expect(turned.shape).toEqual([16, 8]);
    expect(turned.data[3 * 8 + 5]).toBe(kernel.data[5 * 16 + 3]);
    expect([...start.keys()].filter((path) => path.startsWith("blocks.0.")).sort()).toEqual(
      ["inner.kernel", "outer.bias", "outer.kernel"].map((name) => `blocks.0.feedForward.student.${name}`),
    );
    expect(studentStart(model.params, ofTeacher).has("blocks.0.feedForward.student.inner.kernel")).toBe(false);
  });
});

test.each<[object, string]>([
  [
    { student: { feedForward: { type: "sparse", blockSize: 5 } } },
    "dFf 16 is not a multiple of feedForward.blockSize 5",
  ],
  [{ student: {} }, "student.feedForward is missing"],
  [{ student: { type: "sparse" } }, 'there is no "student.type": known are feedForward, dFf'],
  [
    { student: { feedForward: { type: "grouped", experts: 2, groupSize: 2 } } },
    "a student cannot be grouped, which ends its training as another layer",
  ],
  [{ ...taught, lora: { rank: 2 } }, "either lora or a student is trained beside a model's weights, not both"],
])("%j is refused", (own, says) => {
  expect(() => scalingLM({ ...dense, ...own } as ModelConfig)).toThrow(says);
});
