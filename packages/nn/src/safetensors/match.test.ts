import type { TensorType } from "@finegrain/graph";
import { expect, test } from "vitest";
import { matchTensors } from "./match.ts";

const f32 = (...shape: number[]): TensorType => ({ dtype: "float32", shape });
const expected = new Map([
  ["embedding", f32(256, 8)],
  ["block.0.bias", f32(8)],
]);

test("the same names and types match, in any order", () => {
  expect(() => matchTensors(new Map([...expected].reverse()), expected)).not.toThrow();
});

test("one sentence says what is missing, misshapen and unexpected", () => {
  const found = new Map([
    ["embedding", f32(8, 256)],
    ["a", f32()],
    ["b", f32()],
    ["c", f32()],
    ["d", f32()],
  ]);
  expect(() => matchTensors(found, expected, "runs/x")).toThrow(
    'runs/x does not fit the model\'s 2 tensors: 1 missing ("block.0.bias" float32[8]); ' +
      '1 of another shape or dtype ("embedding" is float32[8,256], expected float32[256,8]); ' +
      '4 unexpected ("a", "b", "c", and 1 more)',
  );
});

test("a dtype counts", () => {
  const found = new Map<string, TensorType>([...expected, ["block.0.bias", { dtype: "int32", shape: [8] }]]);
  expect(() => matchTensors(found, expected)).toThrow('"block.0.bias" is int32[8], expected float32[8]');
});
