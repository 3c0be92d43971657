#!/usr/bin/env node
import { nearest } from "./arguments.ts";
import { commands } from "./commands/index.ts";
import { EXIT, type ExitCode, failure, UsageError } from "./exit.ts";
import { commandHelp, mainHelp } from "./help.ts";
import { version } from "./version.ts";

async function main(args: readonly string[]): Promise<ExitCode> {
  const [name, ...rest] = args;
  if (name === "help" && rest[0] !== undefined) return main([rest[0], "--help"]);
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(mainHelp(commands, version()));
    return name === undefined ? EXIT.usage : EXIT.ok;
  }
  if (name === "--version" || name === "-v") {
    process.stdout.write(`${version()}\n`);
    return EXIT.ok;
  }
  const command = commands.find((known) => known.name === name);
  if (command === undefined) throw new UsageError(unknown(name));
  const flags = rest.includes("--") ? rest.slice(0, rest.indexOf("--")) : rest;
  if (flags.includes("--help") || flags.includes("-h")) {
    process.stdout.write(await commandHelp(command));
    return EXIT.ok;
  }
  return command.run(rest);
}

function unknown(name: string): string {
  const known = commands.map((command) => command.name);
  if (name.startsWith("-")) return `unknown flag ${name}: the command comes first, one of ${known.join(", ")}`;
  const near = nearest(name, known);
  return `unknown command "${name}": ${near === undefined ? `known are ${known.join(", ")}` : `did you mean ${near}?`}`;
}

// A reader that has seen enough (`| head`) closes the pipe: that is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? EXIT.ok : EXIT.failed);
});

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const { text, code } = failure(error);
  process.stderr.write(`finegrain: ${text}\n`);
  process.exitCode = code;
}
