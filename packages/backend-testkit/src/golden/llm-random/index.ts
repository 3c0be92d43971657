import { add, reshape, type Tensor } from "@finegrain/graph";
import { type GoldenCase, Unsupported } from "../case.ts";
import type { Trial } from "../checks.ts";
import { type Computed, Given, type Tolerances } from "../given.ts";
import { denseAdapters } from "./dense.ts";
import { routedAdapters } from "./routed.ts";

/** README.md of the cases: element by element. */
const allowed = { absolute: 3e-5, relative: 1e-4 };
const tolerances: Tolerances = { output: allowed, gradient: () => allowed };
const allowedLoss = { absolute: 1e-5, relative: 0 };

const adapters: Readonly<Record<string, (given: Given) => Tensor>> = { ...denseAdapters, ...routedAdapters };

/** Their names of our auxiliary losses. */
const lossNames: Readonly<Record<string, string>> = { "loss.load_balancing": "loadBalancing", "loss.z": "routerZ" };

/** Auxiliary losses, and the gradients of their sum alone. */
function auxiliary(given: Given): Map<string, Computed> {
  const computed = Object.entries(lossNames).flatMap(([name, ours]): [string, Computed][] => {
    if (!given.hasTensor(name)) return [];
    const value = given.losses.get(ours);
    if (!value) throw new Unsupported(`the loss ${name}`);
    return [[name, { value: reshape(value, [1]), allowed: allowedLoss }]];
  });
  const losses = [...given.losses.values()];
  const gradients =
    losses.length > 0
      ? given.gradients(
          "grad_aux.",
          losses.reduce((a, b) => add(a, b)),
          allowed,
        )
      : [];
  return new Map([...computed, ...gradients]);
}

/**
 * A case that llm-random made, in our layers: the layer from `class`, its options from `constructor`.
 * @throws Unsupported where our layers do not have what it takes.
 */
export function llmRandomTrial(golden: GoldenCase): Trial {
  const name = golden.metadata.class ?? "";
  const first = name.split(/[\s(]/, 1)[0]!;
  const adapter = name.startsWith(`${first}(`) || !Object.hasOwn(adapters, first) ? undefined : adapters[first];
  if (!adapter) throw new Unsupported(`the layer ${name}`);
  // Not `metadata.constructor`: every object has that.
  const options = new Map(Object.entries(golden.metadata)).get("constructor");
  const given = new Given(golden, options, tolerances);
  const output = adapter(given);
  return given.trial(output, auxiliary(given));
}
