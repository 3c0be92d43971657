import { expect, test } from "vitest";
import { conclusion } from "../src/commands/demo/conclusion.ts";

test.each([
  [
    { sparse: [2.41, 2.43], dense: [2.42, 2.44], decode: 6.21 },
    "With as many parameters the sparse model is as good as the dense one, within what two runs of one model differ by (2.41 to 2.43 bits per byte against 2.42 to 2.44), and decodes 6.21 times as fast at the width of the paper's model.",
  ],
  [
    { sparse: [2.4, 2.4], dense: [2.5, 2.6], decode: 0.9 },
    "With as many parameters the sparse model is 5.9 % better than the dense one (2.40 bits per byte against 2.50 to 2.60), and is not faster here at the width of the paper's model (0.900 x).",
  ],
  [
    { sparse: [2.7, 2.8], dense: [2.5, 2.5], decode: undefined },
    "With as many parameters the sparse model is 10.0 % worse than the dense one (2.70 to 2.80 bits per byte against 2.50).",
  ],
])("the demo's last sentence says what its numbers do: %j", (findings, sentence) => {
  expect(conclusion(findings)).toBe(sentence);
});
