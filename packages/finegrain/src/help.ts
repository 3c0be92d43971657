import type { Flag, Flags, Operand } from "./arguments.ts";
import type { Command, FlagGroup } from "./command.ts";
import { wrap } from "./output/wrap.ts";

/** No wider than the terminal. */
const WIDTH = Math.min(100, process.stdout.columns ?? 100);

/** The page of `finegrain --help`. */
export function mainHelp(commands: readonly Command[], version: string): string {
  const rows = commands.map(({ name, operands, summary }) => [
    [name, ...operands.map(shownOperand)].join(" "),
    summary,
  ]);
  return page([
    wrap(`finegrain ${version}: trains and decodes Transformers with fine-grained conditional computation`, WIDTH).join(
      "\n",
    ),
    section("Usage", ["finegrain COMMAND [flags]"]),
    section("Commands", table(rows as [string, string][])),
    examplesOf("First steps", [
      ["finegrain demo", "train a sparse and a dense model, and let both write: four minutes"],
      ['finegrain generate runs/demo/sparse --prompt "Fellow citizens, "', "let one write on"],
      ["finegrain train --data my-texts/ --out runs/mine --steps 500", "train on texts of your own"],
      ["finegrain devices", "see what runs here, and how to add what does not"],
    ]),
    "finegrain COMMAND --help shows a command's flags and examples.",
  ]);
}

/** The page of `finegrain COMMAND --help`. */
export async function commandHelp(command: Command): Promise<string> {
  const { name, summary, operands, flags, examples } = command;
  const groups = (await command.layerFlags?.()) ?? [];
  return page([
    `finegrain ${name}: ${summary}`,
    section("Usage", [["finegrain", name, ...operands.map(shownOperand), "[flags]"].join(" ")]),
    ...(operands.length > 0 ? [section("Arguments", table(operands.map((o) => [o.name, o.help])))] : []),
    ...command.sections.map(([title, names]) =>
      section(title, table(flagRows(names.map((flag) => [flag, flags[flag]!])))),
    ),
    section("Flags", table([...flagRows(Object.entries(unsectioned(command))), ["-h, --help", "show this page"]])),
    ...groups.map(groupHelp),
    examplesOf("Examples", examples),
  ]);
}

const examplesOf = (title: string, examples: Command["examples"]): string =>
  section(
    title,
    examples.flatMap(([line, what]) => [`# ${what}`, line]),
  );

const groupHelp = ({ title, flags, notes }: FlagGroup): string =>
  section(title, [...table(flagRows(Object.entries(flags))), "", ...table(notes)]);

/** Flags that are in no section. */
const unsectioned = ({ flags, sections }: Command): Flags =>
  Object.fromEntries(Object.entries(flags).filter(([flag]) => !sections.some(([, names]) => names.includes(flag))));

const flagRows = (flags: readonly (readonly [string, Flag])[]): [string, string][] =>
  flags.map(([flag, spec]) => [shownFlag(flag, spec), shownHelp(spec)]);

function shownOperand({ name, required, repeated }: Operand): string {
  const shown = repeated ? `${name}...` : name;
  return required ? shown : `[${shown}]`;
}

function shownFlag(name: string, flag: Flag): string {
  const dashed = `${flag.short === undefined ? "" : `-${flag.short}, `}--${name}`;
  if (flag.type === "switch") return dashed;
  return `${dashed} ${flag.type === "choice" ? flag.choices.join("|") : flag.value}`;
}

function shownHelp(flag: Flag): string {
  const otherwise = "default" in flag ? flag.default : undefined;
  return otherwise === undefined ? flag.help : `${flag.help} (default ${otherwise})`;
}

const page = (parts: readonly string[]) => `${parts.join("\n\n")}\n`;
const section = (title: string, lines: readonly string[]) =>
  `${title}:\n${lines.map((line) => `  ${line}`).join("\n")}`;

/** A flag with its choices: between them where they are more than a line. */
const broken = (flag: string): string[] =>
  flag.length > WIDTH - 2 ? wrap(flag.replaceAll("|", " | "), WIDTH - 2) : [flag];

/** Two columns; a text that is too long goes on below itself. */
function table(rows: readonly (readonly [string, string])[]): string[] {
  const longest = Math.min(30, Math.max(...rows.map(([left]) => left.length)));
  return rows.flatMap(([left, right]) => {
    const [first = "", ...rest] = wrap(right, WIDTH - longest - 4);
    const indent = " ".repeat(longest + 2);
    const head = left.length > longest ? [...broken(left), indent + first] : [left.padEnd(longest + 2) + first];
    return [...head, ...rest.map((line) => indent + line)];
  });
}
