import { type AnyOp, catalog, evaluate, type HostTensor, type OpName } from "@finegrain/graph";
import { describe, expect, it } from "vitest";
import { forDrawnCalls, type GradientTest, gradientTest } from "./op-call.ts";

const STEP = 1e-5;

/** d loss / d element k of input i, by central differences on the reference. */
function centralDifference({ loss, values }: GradientTest, i: number, k: number): number {
  const at = (shift: number): number => {
    const moved = values.map(
      (value, j): HostTensor =>
        j === i ? { ...value, data: Float64Array.from(value.data, (x, n) => (n === k ? x + shift : x)) } : value,
    );
    return evaluate(loss, moved)[0]!.data[0]!;
  };
  return (at(STEP) - at(-STEP)) / (2 * STEP);
}

function expectDerivative(test: GradientTest | undefined): void {
  if (test === undefined) return;
  const gradients = evaluate(test.graph, test.values);
  test.of.forEach((i, output) => {
    gradients[output]!.data.forEach((value: number, k: number) => {
      const expected = centralDifference(test, i, k);
      expect(Math.abs(value - expected), `input ${i}, element ${k}: ${value}, by differences ${expected}`).toBeLessThan(
        1e-6 * (1 + Math.abs(expected)),
      );
    });
  });
}

/** Ops whose rule is an estimator and not the derivative. */
const estimators = new Set<OpName>(["straightThrough"]);

/** Every differentiable op's gradient is the derivative of its value: the reference against central differences. */
export function describeGradients(): void {
  const names = (Object.keys(catalog) as OpName[]).filter(
    (name) => catalog[name].vjp !== null && !estimators.has(name),
  );
  describe.each(names)("%s: its gradient is the derivative of its value", (name) => {
    const op: AnyOp = catalog[name];
    for (const call of op.cases) {
      const test = gradientTest(op, call);
      if (test) it(test.title, () => expectDerivative(test));
    }
    it("drawn shapes", () => forDrawnCalls(op, 20, (call) => expectDerivative(gradientTest(op, call))));
  });
}
