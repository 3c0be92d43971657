import { basename, extname, join } from "node:path";
import { modelOf, parameterCount } from "@finegrain/nn";
import { importPretrained, unusedFolder } from "@finegrain/runs";
import type { Values } from "../../arguments.ts";
import { EXIT, type ExitCode } from "../../exit.ts";
import { whole } from "../../output/format.ts";
import { hint } from "../../output/hint.ts";
import { terminal } from "../../output/terminal.ts";
import type { importFlags } from "./flags.ts";

/** `finegrain import PATH`: a run folder of a model that others trained. */
export async function importModel(
  { out: named, json }: Values<typeof importFlags>,
  operands: readonly string[],
): Promise<ExitCode> {
  const path = operands[0]!; // the operand is required
  const terminalOut = terminal({ quiet: json });
  const out = named ?? (await unusedFolder(join("runs", nameOf(path))));
  const { family, model } = await importPretrained(path, { out });
  const parameters = parameterCount(modelOf(model).params);
  if (json) terminalOut.write(`${JSON.stringify({ run: out, family, parameters, model })}\n`);
  const { layers, dModel, maxLength } = model;
  terminalOut.print(
    `${out}: ${family} of ${whole(parameters)} parameters, ${layers} layers of ${dModel}, texts of up to ${whole(maxLength)} tokens`,
  );
  terminalOut.note(`it writes with: ${hint("generate", out, "--prompt", "...")}`);
  return EXIT.ok;
}

/** A file's name without its end, or a folder's; not what could be no folder's. */
const nameOf = (path: string): string =>
  basename(path, extname(path).toLowerCase() === ".gguf" ? extname(path) : "") || "imported";
