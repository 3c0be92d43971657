import { choice, number, type Resolved, whole } from "../../definition/option.ts";
import type { Param } from "../../layer.ts";
import { definePositions, type PositionLayer } from "./definition.ts";
import { type Rotation, rotation } from "./rotary.ts";

/** Nothing is added to a token. */
const nothing: PositionLayer<Record<never, Param>> = { params: {}, apply: (_, x) => x, decode: (_, x) => x };

const options = {
  base: number({ above: 0, doc: "the slowest pair turns about as many times slower than the first", default: 10_000 }),
  scaling: choice(["none", "linear", "llama3"], {
    doc: 'how a model of short texts was made one of long ones: "linear" turns every pair `factor` times slower, "llama3" only those that turn slowly',
    default: "none",
  }),
  factor: number({ above: 0, doc: "of the scaling", default: 1 }),
  lowFrequency: number({
    above: 0,
    doc: "llama3: pairs that turn fewer times in `trainedLength` are slowed in full",
    default: 1,
  }),
  highFrequency: number({ above: 0, doc: "llama3: pairs that turn more times than this stay as they are", default: 4 }),
  trainedLength: whole({ doc: "llama3: tokens of a text before it was scaled", default: 8192 }),
};

/** Queries and keys are turned by their places: see {@link rotary}. The scaling "llama3" is that of Llama 3.1's own code. */
export const rotaryPositions = definePositions({
  name: "rotary",
  summary: "turn queries and keys by their places, so that scores depend on distances",
  options,
  check({ scaling, lowFrequency, highFrequency }, at) {
    if (scaling === "llama3" && lowFrequency >= highFrequency)
      at.refuse(
        `${at.option("lowFrequency")} ${lowFrequency} is not less than ${at.option("highFrequency")} ${highFrequency}`,
      );
  },
  build: (config) => ({ ...nothing, rotary: scaled(config) }),
  cases: [
    { options: {} },
    { options: { base: 500, scaling: "linear", factor: 4 } },
    { options: { base: 50, scaling: "llama3", factor: 8, trainedLength: 64 } },
  ],
});

function scaled({
  base,
  scaling,
  factor,
  lowFrequency,
  highFrequency,
  trainedLength,
}: Resolved<typeof options>): Rotation {
  const plain = rotation(base);
  if (scaling === "none") return plain;
  if (scaling === "linear") return (pair, pairs) => plain(pair, pairs) / factor;
  return (pair, pairs) => {
    const rate = plain(pair, pairs);
    const turns = (trainedLength * rate) / (2 * Math.PI);
    const kept = Math.min(1, Math.max(0, (turns - lowFrequency) / (highFrequency - lowFrequency)));
    return rate * (kept + (1 - kept) / factor);
  };
}

/** A token's place is not told. */
export const noPositions = definePositions({
  name: "none",
  summary: "places are not told",
  options: {},
  build: () => nothing,
  cases: [{ options: {} }],
});
