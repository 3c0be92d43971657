import { FinegrainError } from "../errors.ts";
import type { Graph } from "../graph.ts";
import type { CompileOptions } from "./backend.ts";

/** The inputs that a graph's runs spend. @throws FinegrainError where one is donated to more than one output. */
export function donatedInputs({ name }: Graph, donate: NonNullable<CompileOptions["donate"]>): Set<number> {
  const donated = new Set(donate.map(([input]) => input));
  if (donated.size < donate.length)
    throw new FinegrainError(`graph "${name}" donates an input to more than one output`);
  return donated;
}
