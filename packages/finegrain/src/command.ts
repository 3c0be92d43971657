import type { Flags, Operand, Values } from "./arguments.ts";
import { readArguments } from "./arguments.ts";
import type { ExitCode } from "./exit.ts";

/** How a command line is described, without loading what it does. */
interface Description<F extends Flags> {
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  readonly operands: readonly Operand[];
  readonly flags: F;
  /** Command lines as a person would type them, with what they do. */
  readonly examples: readonly (readonly [line: string, what: string])[];
  /** Load what the command does. */
  readonly load: () => Promise<(values: Values<F>, operands: readonly string[]) => Promise<ExitCode>>;
}

/** A command, its flags' types forgotten: what help and the main program see. */
export interface Command extends Omit<Description<Flags>, "load"> {
  /** Read the arguments, load the command and run it. */
  run(args: readonly string[]): Promise<ExitCode>;
}

export function command<const F extends Flags>({ load, ...description }: Description<F>): Command {
  return {
    ...description,
    async run(args) {
      // Arguments are read before anything heavy is loaded, so that a slip costs no time.
      const { values, operands } = readArguments(args, description.flags, description.operands);
      return (await load())(values, operands);
    },
  };
}
