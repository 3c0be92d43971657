import { expect, test } from "vitest";
import {
  add,
  cast,
  checkpoint,
  evaluate,
  gradient,
  graph,
  hostTensor,
  input,
  mul,
  print,
  type ReversibleHalf,
  reduceSum,
  reversible,
  scalar,
  stopGradient,
  straightThrough,
  streamOf,
  type Tensor,
  tanh,
} from "../src/index.ts";

const x = input([2], "float32", "x");
const total = (t: Tensor) => reduceSum(t, { axes: [0] });
const at = (of: Tensor, ...values: number[]) =>
  evaluate(graph({ inputs: [x], outputs: [of] }), [hostTensor("float32", [2], values)])[0]!.data;

test("a value used twice gets the sum of both cotangents", () => {
  expect([...at(gradient(total(mul(x, x)), [x])[0]!, 3, -1)]).toEqual([6, -2]);
});

test("nothing flows through stopGradient, casts to integers, or to what the loss does not read", () => {
  const y = input([3]);
  expect([...at(gradient(total(mul(stopGradient(x), x)), [x])[0]!, 3, -1)]).toEqual([3, -1]);
  expect([...at(gradient(total(cast(cast(x, "int32"), "float32")), [x])[0]!, 3, -1)]).toEqual([0, 0]);
  expect(gradient(total(x), [y])[0]!.shape).toEqual([3]);
});

test("straightThrough has the value of one and the gradient of the other", () => {
  const y = straightThrough(mul(x, 10), mul(x, 2));
  expect([...at(y, 1, 2)]).toEqual([10, 20]);
  expect([...at(gradient(total(y), [x])[0]!, 1, 2)]).toEqual([2, 2]);
});

test("a checkpoint computes its body again in the backward pass", () => {
  const body = ([t]: readonly Tensor[]) => tanh(tanh(tanh(t!)));
  const count = (loss: Tensor) =>
    graph({ inputs: [x], outputs: [loss, ...gradient(loss, [x])] }).nodes.filter((n) => n.op === "tanh").length;
  expect(count(total(body([x])))).toBe(3);
  const recomputed = total(checkpoint(x, { body }));
  expect(graph({ inputs: [x], outputs: gradient(recomputed, [x]) }).nodes.some((n) => n.op === "barrier")).toBe(true);
  expect([...at(gradient(recomputed, [x])[0]!, 0.5, 2)]).toEqual([...at(gradient(total(body([x])), [x])[0]!, 0.5, 2)]);
});

test("reversible halves have the gradients of their residuals, and inputs that come from outputs", () => {
  const w = input([2]);
  const halves: ReversibleHalf[] = [(t, [v]) => tanh(mul(t, v!)), (t, [v]) => mul(tanh(t), v!), (t) => tanh(t)];
  let streams: [Tensor, Tensor] = [x, mul(x, x)];
  const both = reversible(...streams, w, { halves });
  for (const f of halves) streams = [streams[1], add(streams[0], f(streams[1], [w]))];
  const of = ([a, b]: readonly Tensor[]) => reduceSum(mul(a!, mul(b!, b!)), { axes: [0] });
  const [kept, rebuilt] = [of(streams), of([streamOf(both, 0), streamOf(both, 1)])];
  const gradients = (loss: Tensor) => graph({ inputs: [x, w], outputs: [loss, ...gradient(loss, [x, w])] });
  const values = [hostTensor("float32", [2], [0.4, -1.2]), hostTensor("float32", [2], [0.9, 0.3])];
  const [expected, actual] = [evaluate(gradients(kept), values), evaluate(gradients(rebuilt), values)];
  for (const [i, { data }] of expected.entries())
    data.forEach((value: number, k: number) => {
      expect(actual[i]!.data[k]).toBeCloseTo(value, 6);
    });
});

test("a gradient is more graph, and can be differentiated again", () => {
  const cube = total(mul(x, mul(x, x)));
  const second = gradient(total(gradient(cube, [x])[0]!), [x])[0]!;
  expect([...at(second, 2, 3)]).toEqual([12, 18]);
});

test("the loss must be a float32 scalar", () => {
  expect(() => gradient(x, [x])).toThrow("the gradient of float32[2] was asked for: a loss is float32[]");
});

test("a graph prints as one line a node", () => {
  expect(print(graph({ name: "step", inputs: [x], outputs: [add(mul(x, 2), scalar(1))] }))).toBe(
    [
      'graph "step"(x: float32[2])',
      "  %1 = constant() 2 : float32[]",
      "  %2 = mul(x, %1) : float32[2]",
      "  %3 = constant() 1 : float32[]",
      "  %4 = add(%2, %3) : float32[2]",
      "  return %4",
    ].join("\n"),
  );
});
