import type { Flags, Operand, Values } from "./arguments.ts";
import { readArguments } from "./arguments.ts";
import type { ExitCode } from "./exit.ts";

/** Flags that belong together, as a section of help. */
export interface FlagGroup {
  readonly title: string;
  readonly flags: Flags;
  /** What the section says after its flags: names and what they are. */
  readonly notes: readonly (readonly [name: string, what: string])[];
}

/** How a command line is described, without loading what it does. */
interface Description<F extends Flags> {
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  readonly operands: readonly Operand[];
  readonly flags: F;
  /** Flags that belong together, as sections of help before that of the others. */
  readonly sections?: readonly (readonly [title: string, flags: readonly (keyof F & string)[]])[];
  /** More flags, whose tables take a moment to load: those of a model's layers. */
  readonly layerFlags?: () => Promise<readonly FlagGroup[]>;
  /** Command lines as a person would type them, with what they do. */
  readonly examples: readonly (readonly [line: string, what: string])[];
  /** Load what the command does. */
  readonly load: () => Promise<(values: Values<F>, operands: readonly string[]) => Promise<ExitCode>>;
}

/** A command, its flags' types forgotten: what help and the main program see. */
export interface Command extends Omit<Description<Flags>, "load" | "sections"> {
  readonly sections: readonly (readonly [title: string, flags: readonly string[]])[];
  /** Read the arguments, load the command and run it. */
  run(args: readonly string[]): Promise<ExitCode>;
}

export function command<const F extends Flags>({ load, sections = [], ...description }: Description<F>): Command {
  return {
    ...description,
    sections,
    async run(args) {
      // Arguments are read before anything heavy is loaded, so that a slip costs no time.
      const groups = (await description.layerFlags?.()) ?? [];
      const flags: F = Object.assign({}, description.flags, ...groups.map((group) => group.flags));
      const { values, operands } = readArguments(args, flags, description.operands);
      return (await load())(values, operands);
    },
  };
}
