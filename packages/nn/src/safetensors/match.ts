import { FinegrainError, type TensorType, typeName } from "@finegrain/graph";

/** How many names an error spells out of each kind. */
const SHOWN = 3;

function listed(kind: string, names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const more = names.length > SHOWN ? `, and ${names.length - SHOWN} more` : "";
  return [`${names.length} ${kind} (${names.slice(0, SHOWN).join(", ")}${more})`];
}

/**
 * Check that a checkpoint has exactly the tensors that a model expects.
 *
 * @param found name -> type of the checkpoint (a header's types, or its tensors).
 * @param expected name -> type of the model's parameters.
 * @param source what to call the checkpoint in the error, e.g. its path.
 * @throws FinegrainError one sentence with the number and the first names of the missing, unexpected and misshapen.
 */
export function matchTensors(
  found: ReadonlyMap<string, TensorType>,
  expected: ReadonlyMap<string, TensorType>,
  source = "checkpoint",
): void {
  const missing: string[] = [];
  const misshapen: string[] = [];
  for (const [name, type] of expected) {
    const actual = found.get(name);
    if (actual === undefined) missing.push(`"${name}" ${typeName(type)}`);
    else if (typeName(actual) !== typeName(type)) {
      misshapen.push(`"${name}" is ${typeName(actual)}, expected ${typeName(type)}`);
    }
  }
  const unexpected = [...found.keys()].filter((name) => !expected.has(name)).map((name) => `"${name}"`);
  const faults = [
    ...listed("missing", missing),
    ...listed("of another shape or dtype", misshapen),
    ...listed("unexpected", unexpected),
  ];
  if (faults.length > 0) {
    throw new FinegrainError(`${source} does not fit the model's ${expected.size} tensors: ${faults.join("; ")}`);
  }
}
