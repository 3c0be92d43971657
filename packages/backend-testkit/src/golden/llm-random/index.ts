import { add, reshape, type Tensor } from "@finegrain/graph";
import { type GoldenCase, Unsupported } from "../case.ts";
import type { Trial } from "../checks.ts";
import { type Computed, Given, type Tolerances } from "../given.ts";
import { denseAdapters } from "./dense.ts";
import { auxiliaryNames, blockCase, languageModelCase } from "./model.ts";
import { routedAdapters } from "./routed.ts";
import { talkAdapters } from "./talk.ts";

/** README.md of the cases: element by element. */
const allowed = { absolute: 3e-5, relative: 1e-4 };
const tolerances: Tolerances = { output: allowed, gradient: () => allowed };

/** Why there is no layer of ours, by the first word of the class's name. */
const reasons: Readonly<Record<string, string>> = {
  BatchSplitFF: "whose choice compares the groups with each other, and not the tokens of a group",
  DoubleChoiceFF: "in which experts contain experts that choose again",
  GeneralizedReLU: "whose four vectors for every feature no published model has",
  PermutationDense: "which no published model has",
};

type Adapter = (given: Given) => Tensor;
/** By the first word of the class's name, unless a parenthesis with more of it follows. */
const adapters: Readonly<Record<string, Adapter>> = { ...denseAdapters, ...routedAdapters };

const firstWord = (name: string): string => name.split(/[\s(]/, 1)[0]!;

function adapterOf(name: string): Adapter | undefined {
  if (Object.hasOwn(talkAdapters, name)) return talkAdapters[name];
  const first = firstWord(name);
  return name.startsWith(`${first}(`) || !Object.hasOwn(adapters, first) ? undefined : adapters[first];
}

/** Auxiliary losses, and the gradients of their sum alone. */
function auxiliary(given: Given): Map<string, Computed> {
  const computed = auxiliaryNames.flatMap(([name, ours]): [string, Computed][] => {
    if (!given.hasTensor(name)) return [];
    const value = given.losses.get(ours);
    if (!value) throw new Unsupported(`the loss ${name}`);
    return [[name, { value: reshape(value, [1]), allowed: { absolute: 1e-5, relative: 0 } }]];
  });
  const losses = [...given.losses.values()];
  if (losses.length === 0) return new Map(computed);
  const sum = losses.reduce((a, b) => add(a, b));
  return new Map([...computed, ...given.gradients("grad_aux.", sum, allowed)]);
}

/**
 * A case that llm-random made, in our layers: the layer from `class`, its options from `constructor`.
 * @throws Unsupported where our layers do not have what it takes.
 */
export function llmRandomTrial(golden: GoldenCase): Trial {
  const name = golden.metadata.class ?? "";
  // Not `metadata.constructor`: every object has that.
  const options = new Map(Object.entries(golden.metadata)).get("constructor");
  const given = new Given(golden, options, tolerances);
  if (name === "llm.LLM") {
    const { output, others, iteration } = languageModelCase(given, allowed);
    return { ...given.trial(output, others), ...(iteration ? { iteration } : {}) };
  }
  if (name.startsWith("llm.TransformerBlock(")) return given.trial(blockCase(given));
  const adapter = adapterOf(name);
  if (!adapter) {
    const reason = reasons[firstWord(name)];
    throw new Unsupported(`the layer ${name}${reason === undefined ? "" : `, ${reason}`}`);
  }
  const output = adapter(given);
  return given.trial(output, auxiliary(given));
}
