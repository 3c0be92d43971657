import fc from "fast-check";
import { expect, test } from "vitest";
import {
  add,
  allToAll,
  checkpoint,
  decompose,
  einsum,
  evaluate,
  type Graph,
  gradient,
  graph,
  type HostTensor,
  hostTensor,
  input,
  mul,
  reduceSum,
  reshape,
  reversible,
  segmentsOf,
  softmax,
  streamOf,
  type Tensor,
  tanh,
  transpose,
} from "../src/index.ts";

/** Values by number, of every rank, through the segments of a graph that all run. */
function runSegments(source: Graph, inputs: readonly (readonly HostTensor[])[]): HostTensor[][] {
  const { segments, gives } = segmentsOf(source);
  const values = inputs.map((own) => new Map(own.entries()));
  for (const segment of segments) {
    for (const own of values) {
      const results = evaluate(
        segment.graph,
        segment.takes.map((value) => own.get(value)!),
      );
      for (const [i, value] of segment.gives.entries()) own.set(value, results[i]!);
    }
    for (const { of, into } of segment.exchanges) {
      const sent = values.map((own) => own.get(of)!);
      for (const [rank, own] of values.entries()) own.set(into, received(sent, rank));
    }
    for (const value of segment.lastUse) for (const own of values) own.delete(value);
  }
  return values.map((own) => gives.map((value) => own.get(value)!));
}

function received(sent: readonly HostTensor[], rank: number): HostTensor {
  const part = sent[0]!.data.length / sent.length;
  const parts = sent.flatMap(({ data }) => [...data.subarray(rank * part, (rank + 1) * part)]);
  return { ...sent[0]!, data: Float64Array.from(parts) };
}

const numbers = (shape: readonly number[], seed: number) =>
  hostTensor(
    "float32",
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 1.7 + seed)),
  );

test("ranks compute together what one computes with the weights of all", () => {
  const [ranks, own, room, width] = [2, 2, 3, 4];
  const x = input([ranks * own, room, width], "float32", "x");
  const w = input([own, width, width], "float32", "w");
  const here = reshape(transpose(reshape(allToAll(x, { ranks }), [ranks, own, room, width]), [1, 0, 2, 3]), [
    own,
    ranks * room,
    width,
  ]);
  const y = reshape(tanh(einsum(here, w, "E C D, E D F -> E C F")), [own, ranks, room, width]);
  const back = allToAll(reshape(transpose(y, [1, 0, 2, 3]), x.shape), { ranks });
  const loss = (z: Tensor) => reduceSum(mul(z, z), { axes: [0, 1, 2] });
  const outputs = [loss(back), ...gradient(loss(back), [x, w])];
  const shared = graph({ name: "shared", inputs: [x, w], outputs });

  const all = input([ranks * own, width, width], "float32", "all");
  const whole = loss(tanh(einsum(x, all, "E C D, E D F -> E C F")));
  const alone = graph({ inputs: [x, all], outputs: [whole, ...gradient(whole, [x, all])] });

  const weights = numbers(all.shape, 5);
  const half = weights.data.length / ranks;
  const weightsOf = (rank: number) =>
    hostTensor("float32", w.shape, weights.data.slice(rank * half, (rank + 1) * half));
  const tokens = [numbers(x.shape, 0), numbers(x.shape, 1)];
  const found = runSegments(
    shared,
    tokens.map((own, rank) => [own, weightsOf(rank)]),
  );
  const expected = tokens.map((own) => evaluate(alone, [own, weights]));
  for (const rank of [0, 1]) {
    for (const what of [0, 1])
      for (const [i, value] of found[rank]![what]!.data.entries())
        expect(value).toBeCloseTo(expected[rank]![what]!.data[i]!, 12);
    // A weight's gradient is of the tokens of both.
    for (const [i, value] of found[rank]![2]!.data.entries())
      expect(value).toBeCloseTo(
        expected.reduce((sum, [, , gradients]) => sum + gradients!.data[rank * half + i]!, 0),
        12,
      );
  }
});

/** Steps of a drawn graph, each over the values so far. */
const steps: readonly ((a: Tensor, b: Tensor) => Tensor)[] = [
  (a) => allToAll(a, { ranks: 1 }),
  (a, b) => add(a, b),
  (a, b) => mul(tanh(a), b),
  (a) => transpose(a, [1, 0]),
  (a) => softmax(a),
  (a, b) => checkpoint(a, b, { body: ([x, y]) => mul(allToAll(tanh(x!), { ranks: 1 }), y!) }),
  (a, b) => streamOf(reversible(a, b, { halves: [(x) => allToAll(tanh(x), { ranks: 1 }), (x) => tanh(x)] }), 0),
];
const plans = fc.array(fc.tuple(fc.nat(steps.length - 1), fc.nat(20), fc.nat(20)), { maxLength: 12 });

test("the segments of a graph compute what it does, and none of them has an exchange within", () => {
  fc.assert(
    fc.property(plans, (plan) => {
      const inputs = [input([3, 3], "float32", "a"), input([3, 3], "float32", "b")];
      const values = [...inputs];
      for (const [step, i, j] of plan)
        values.push(steps[step]!(values[i % values.length]!, values[j % values.length]!));
      const last = values.at(-1)!;
      const outputs = [last, values[values.length >> 1]!, ...gradient(reduceSum(last, { axes: [0, 1] }), inputs)];
      const whole = graph({ inputs, outputs });
      for (const { graph } of segmentsOf(whole as unknown as Graph).segments)
        expect(
          decompose(graph as unknown as Graph, new Set(["allToAll"])).nodes.some(({ op }) => op === "allToAll"),
        ).toBe(false);
      const given = [numbers([3, 3], 0), numbers([3, 3], 1)];
      const listed = (tensors: readonly HostTensor[]) => tensors.map(({ data }) => [...data]);
      expect(listed(runSegments(whole as unknown as Graph, [given])[0]!)).toEqual(listed(evaluate(whole, given)));
    }),
    { numRuns: 60 },
  );
});

test("what only gets another shape is not kept from one segment to another", () => {
  const x = input([2], "float32", "x");
  const wide = reshape(tanh(x), [2, 1]);
  const cut = segmentsOf(
    graph({ inputs: [x], outputs: [mul(allToAll(wide, { ranks: 2 }), wide)] }) as unknown as Graph,
  );
  expect(cut.segments.map(({ graph }) => graph.outputs.map(({ shape }) => shape))).toEqual([[[2, 1], [2]], [[2, 1]]]);
});

test("a graph of several ranks is not run as a whole", () => {
  const x = input([2], "float32", "x");
  const shared = graph({ inputs: [x], outputs: [allToAll(x, { ranks: 2 })] });
  expect(() => evaluate(shared, [numbers([2], 0)])).toThrow("a graph of 2 ranks was given to a backend as a whole");
});
