import { expectDivisible } from "../../config-error.ts";
import type { Param } from "../../layer.ts";
import { definePositions, type PositionLayer } from "./definition.ts";

/** Nothing is added to a token. */
const nothing: PositionLayer<Record<never, Param>> = { params: {}, apply: (_, x) => x, decode: (_, x) => x };

/** Queries and keys are turned by their places: see {@link rotary}. */
export const rotaryPositions = definePositions({
  name: "rotary",
  summary: "turn queries and keys by their places, so that scores depend on distances",
  options: {},
  check({ dModel, heads }, at) {
    const width = expectDivisible(at.owner, "dModel", dModel, "heads", heads);
    if (width % 2 !== 0) at.refuse(`rotary positions need an even head width, not ${width}`);
  },
  build: () => ({ ...nothing, rotary: true }),
  cases: [{ options: {} }],
});

/** A token's place is not told. */
export const noPositions = definePositions({
  name: "none",
  summary: "places are not told",
  options: {},
  build: () => nothing,
  cases: [{ options: {} }],
});
