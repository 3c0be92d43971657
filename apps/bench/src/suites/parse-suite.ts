import { FinegrainError } from "@finegrain/graph";
import { storages } from "@finegrain/nn";
import { isOpKind, OP_KINDS, opExtents } from "../cases/op-programs.ts";
import { fields } from "../results/json-fields.ts";
import { PHASES } from "../results/result.ts";
import { differentNames, list, object, oneOf, positiveNumber, text, wholeNumber } from "./json-checks.ts";
import type { Case, Measure, OpCase, OpVariant, PaperFigures, Suite, Variant } from "./suite.ts";

const DEFAULTS: Measure = { prompt: 16, units: 1, rounds: 15, warmup: 5, batch: 1, length: 1 };

/**
 * A suite from parsed JSON.
 *
 * @param name how errors call the file.
 * @throws FinegrainError that names the missing, unknown or wrong field.
 */
export function parseSuite(value: unknown, name: string): Suite {
  const suite = fields(value, name, ["name", "title", "cases"], ["source"]);
  return {
    name: text(suite.name, `${name}: name`),
    title: text(suite.title, `${name}: title`),
    ...(suite.source !== undefined && { source: text(suite.source, `${name}: source`) }),
    cases: list(suite.cases, `${name}: cases`).map((entry, i) => parseCase(entry, `${name}: cases[${i}]`)),
  };
}

function parseCase(value: unknown, name: string): Case {
  const entry = fields(value, name, ["name", "phase", "variants"], ["op", "model", "measure", "quick"]);
  const phase = oneOf(PHASES, entry.phase, `${name}: phase`);
  const measure = parseMeasure(entry.measure, DEFAULTS, `${name}: measure`);
  const common = {
    name: text(entry.name, `${name}: name`),
    measure,
    quick: entry.quick !== false && parseMeasure(entry.quick, measure, `${name}: quick`),
  };
  const parsed: Case =
    phase === "op"
      ? { ...common, phase, ...parseOps(entry, name) }
      : { ...common, phase, variants: parseModels(entry, name) };
  differentNames(parsed.variants, name);
  return parsed;
}

type Entry = Readonly<Record<string, unknown>>;

function parseModels(entry: Entry, name: string): Variant[] {
  if (entry.op !== undefined) throw new FinegrainError(`${name}: op belongs to the phase "op"`);
  const shared = entry.model === undefined ? {} : object(entry.model, `${name}: model`);
  return list(entry.variants, `${name}: variants`).map((variant, i) => {
    const at = `${name}: variants[${i}]`;
    const given = fields(variant, at, ["name", "model"], ["storage", "paper", "quick"]);
    return {
      name: text(given.name, `${at}: name`),
      quick: inQuick(given.quick, `${at}: quick`),
      model: { ...shared, ...object(given.model, `${at}: model`) },
      ...(given.storage !== undefined && { storage: oneOf(storages, given.storage, `${at}: storage`) }),
      ...(given.paper !== undefined && { paper: parsePaper(given.paper, `${at}: paper`) }),
    };
  });
}

function parseOps(entry: Entry, name: string): Pick<OpCase, "op" | "variants"> {
  if (entry.model !== undefined) throw new FinegrainError(`${name}: the phase "op" has no model`);
  if (!isOpKind(entry.op))
    throw new FinegrainError(`${name}: op must be one of ${OP_KINDS.join(", ")}, not ${JSON.stringify(entry.op)}`);
  const { op } = entry;
  const variants = list(entry.variants, `${name}: variants`).map((variant, i): OpVariant => {
    const at = `${name}: variants[${i}]`;
    const given = fields(variant, at, ["name", "shape"], ["quick"]);
    const shape = wholeNumbers(fields(given.shape, `${at}: shape`, opExtents(op), []), `${at}: shape`);
    return { name: text(given.name, `${at}: name`), quick: inQuick(given.quick, `${at}: quick`), shape };
  });
  return { op, variants };
}

function parsePaper(value: unknown, name: string): PaperFigures {
  const given = fields(value, name, [], ["millisecondsPerToken", "overDense"]);
  for (const [field, number] of Object.entries(given)) positiveNumber(number, `${name}: ${field}`);
  return given;
}

function parseMeasure(value: unknown, otherwise: Measure, name: string): Measure {
  if (value === undefined) return otherwise;
  const { warmup, ...rest } = fields(value, name, [], Object.keys(DEFAULTS));
  const none = warmup === 0 ? { warmup } : wholeNumbers({ ...(warmup !== undefined && { warmup }) }, name);
  return { ...otherwise, ...wholeNumbers(rest, name), ...none };
}

/** @throws FinegrainError where a field is none of at least 1. */
function wholeNumbers(given: Entry, name: string): Readonly<Record<string, number>> {
  for (const [field, number] of Object.entries(given)) wholeNumber(number, `${name}: ${field}`);
  return given as Readonly<Record<string, number>>; // as the loop found
}

function inQuick(value: unknown, name: string): boolean {
  if (value === undefined || typeof value === "boolean") return value ?? true;
  throw new FinegrainError(`${name} must be true or false, not ${JSON.stringify(value)}`);
}
