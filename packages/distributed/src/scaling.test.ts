import { expect, test } from "vitest";
import { boundByMessages, scaledStep, stepBytes } from "./scaling.ts";

const model = { parameters: 1e8, computeSeconds: 1 };
const network = { bandwidth: 1e9, latency: 1e-5 };

test("one rank sends nothing, and many send twice the parameters", () => {
  expect(scaledStep(model, network, { ranks: 1, scaling: "strong" })).toMatchObject({ bytes: 0, efficiency: 1 });
  expect(stepBytes(model.parameters, 2)).toBe(4e8);
  expect(stepBytes(model.parameters, 1024)).toBe(8e8 - 8e8 / 1024);
});

test("a part that stays the same keeps its efficiency, and one that shrinks loses it", () => {
  const efficiency = (ranks: number, scaling: "weak" | "strong") =>
    scaledStep(model, network, { ranks, scaling }).efficiency;
  expect(efficiency(1024, "weak")).toBeGreaterThan(0.5);
  expect(efficiency(64, "strong")).toBeLessThan(0.05);
  expect(boundByMessages(model, network, { scaling: "strong" })).toBe(2 * 2);
  expect(boundByMessages(model, network, { scaling: "weak" })).toBeUndefined();
  expect(boundByMessages({ ...model, parameters: 1e9 }, network, { scaling: "weak" })).toBe(2);
});
