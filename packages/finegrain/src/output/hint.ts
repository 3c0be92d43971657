import { relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** A command line that can be typed here as it stands, to a POSIX shell. */
export const hint = (...args: readonly string[]): string => [program(), ...args.map(quoted)].join(" ");

/** How the command is called: in a checkout of its sources as npm's script, and as it is installed elsewhere. */
function program(file = fileURLToPath(import.meta.url)): string {
  const [project, installed] = file.split(`${sep}node_modules${sep}`, 2);
  if (installed === undefined) return "npm run finegrain --";
  const isBelow = !relative(project!, process.cwd()).startsWith("..");
  return isBelow ? "npx finegrain" : "finegrain";
}

/** An argument that a shell would take apart, in quotes. */
export function quoted(argument: string): string {
  if (/^[\w./:=@%+,-]+$/.test(argument)) return argument;
  return /["$`\\!]/.test(argument) ? `'${argument.replaceAll("'", "'\\''")}'` : `"${argument}"`;
}

/** Words of a prompt that a text suggests. */
const WORDS = 5;

/** The first words of the first line that has any, each whole, and a space: what a model of this text can go on from. */
export function firstWords(text: string): string | undefined {
  const [line = ""] = /\S.*\s/.exec(text) ?? [];
  const words = line.match(/\S+(?=\s)/g)?.slice(0, WORDS);
  return words && `${words.join(" ")} `;
}
