import { parseArgs } from "node:util";
import { UsageError } from "./exit.ts";

interface Described {
  readonly help: string;
  /** One letter that stands for the flag. */
  readonly short?: string;
}
/** A flag without a value. */
interface Switch extends Described {
  readonly type: "switch";
}
interface Text extends Described {
  readonly type: "text";
  /** What the help calls the value. */
  readonly value: string;
  readonly default?: string;
}
interface Choice<C extends string = string> extends Described {
  readonly type: "choice";
  readonly choices: readonly C[];
  readonly default?: C;
}
interface Numeric extends Described {
  readonly type: "whole" | "number";
  readonly value: string;
  readonly default?: number;
  readonly least?: number;
  /** What it has to be greater than. */
  readonly above?: number;
  readonly most?: number;
}
/** A text that may be given more than once. */
interface Texts extends Described {
  readonly type: "texts";
  readonly value: string;
}
export type Flag = Switch | Text | Choice | Numeric | Texts;
export type Flags = Readonly<Record<string, Flag>>;

type Value<F extends Flag> = F extends Switch
  ? boolean
  : F extends Texts
    ? readonly string[]
    : F extends Numeric
      ? number
      : F extends Choice<infer C>
        ? C
        : string;
type Given<F extends Flag> = F extends { default: unknown } | Switch | Texts ? Value<F> : Value<F> | undefined;
/** The values of flags by name, as the command line gave them or as they are by default. */
export type Values<F extends Flags> = { readonly [K in keyof F]: Given<F[K]> };

/** An argument without a name. */
export interface Operand {
  readonly name: string;
  readonly required: boolean;
  /** Whether it may be given more than once; only the last operand of a command. */
  readonly repeated?: boolean;
  readonly help: string;
}

/**
 * Read a command's arguments.
 *
 * @throws UsageError where a flag is unknown, lacks its value or has a wrong one, or the operands are too few or too many.
 */
export function readArguments<const F extends Flags>(
  args: readonly string[],
  flags: F,
  operands: readonly Operand[],
): { values: Values<F>; operands: string[] } {
  const { values, positionals } = parse(args, flags);
  const read = Object.entries(flags).map(([name, flag]) => [name, readValue(name, flag, values[name])]);
  const missing = operands[positionals.length];
  if (missing?.required) throw new UsageError(`${missing.name} is missing: ${missing.help}`);
  const extra = positionals[operands.length];
  if (extra !== undefined && operands.at(-1)?.repeated !== true) throw new UsageError(`unexpected argument "${extra}"`);
  return { values: Object.fromEntries(read) as Values<F>, operands: positionals }; // each by the rule of its own flag
}

type Raw = string | boolean | (string | boolean)[] | undefined;

function parse(args: readonly string[], flags: Flags): { values: Record<string, Raw>; positionals: string[] } {
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, flag]) => [
      name,
      {
        type: flag.type === "switch" ? ("boolean" as const) : ("string" as const),
        multiple: flag.type === "texts",
        ...(flag.short !== undefined && { short: flag.short }),
      },
    ]),
  );
  try {
    return parseArgs({ args: joinNegatives(args, flags), options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(sentence(error as NodeJS.ErrnoException, flags));
  }
}

/** `--seed -1` as `--seed=-1`: otherwise the value of a number's flag would be taken for another flag. */
function joinNegatives(args: readonly string[], flags: Flags): string[] {
  const joined: string[] = [];
  for (const arg of args) {
    const flag = flags[joined.at(-1)?.replace(/^--/, "") ?? ""];
    if (flag && (flag.type === "whole" || flag.type === "number") && /^-[\d.]/.test(arg))
      joined.push(`${joined.pop()}=${arg}`);
    else joined.push(arg);
  }
  return joined;
}

function sentence(error: NodeJS.ErrnoException, flags: Flags): string {
  const name = /'(--?[^' <=]+)/.exec(error.message)?.[1];
  if (error.code === "ERR_PARSE_ARGS_UNKNOWN_OPTION" && name !== undefined) {
    const near = nearest(name.replace(/^--?/, ""), Object.keys(flags));
    return `unknown flag ${name}${near === undefined ? "" : `: did you mean --${near}?`}`;
  }
  if (error.code === "ERR_PARSE_ARGS_INVALID_OPTION_VALUE") {
    const last = /'[^']*?--([^' <=]+)/.exec(error.message)?.[1] ?? name;
    return flags[last ?? ""]?.type === "switch" ? `--${last} takes no value` : `--${last} needs a value`;
  }
  return error.message.split("\n")[0]!;
}

function readValue(name: string, flag: Flag, given: Raw): unknown {
  if (flag.type === "switch") return given === true;
  if (flag.type === "texts") return given ?? [];
  if (typeof given !== "string") return flag.default;
  if (flag.type === "text") return given;
  if (flag.type === "choice") {
    if (flag.choices.includes(given)) return given;
    throw new UsageError(`--${name} must be one of ${flag.choices.join(", ")}, not "${given}"`);
  }
  const number = given.trim() === "" ? Number.NaN : Number(given);
  const whole = flag.type === "whole";
  const fits = whole ? Number.isSafeInteger(number) : Number.isFinite(number);
  const { least = Number.NEGATIVE_INFINITY, above = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY } = flag;
  if (fits && number >= least && number > above && number <= most) return number;
  throw new UsageError(`--${name} must be a ${whole ? "whole number" : "number"}${inWords(flag)}, not "${given}"`);
}

function inWords({ least, above, most }: Numeric): string {
  const bounds = [
    above !== undefined && `greater than ${above}`,
    least !== undefined && `of at least ${least}`,
    most !== undefined && `at most ${most}`,
  ];
  const said = bounds.filter(Boolean).join(" and ");
  return said && ` ${said}`;
}

/** The known name that a few slips of the finger make of `name`. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const near = known.map((other) => ({ other, distance: editDistance(name, other) }));
  const best = near.sort((a, b) => a.distance - b.distance)[0];
  return best !== undefined && best.distance <= Math.ceil(name.length / 3) ? best.other : undefined;
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}
