import { parseArgs } from "node:util";
import { type Backend, FinegrainError } from "@finegrain/graph";
import { caseFiles } from "./folder.ts";
import { type Outcome, outcomeLine, runCase, summaryLine } from "./runner.ts";

/** What the command takes from its surroundings. */
export interface Surroundings {
  /** Where the cases are that run by default. */
  readonly folder: string;
  openBackend(name: string): Promise<Backend>;
  print(line: string): void;
}

const USAGE = `usage: golden [FOLDER] [--backend NAME]

Runs every case file (.safetensors) in FOLDER, by default the repository's own, on a backend, by default "reference",
and compares outputs and gradients with what the original code computed. One line a case: ok, FAIL or unsupported.`;

/**
 * The golden runner's command.
 * @returns its exit code: 1 where a case failed.
 * @throws FinegrainError where the folder or the backend is not there.
 */
export async function golden(args: readonly string[], { folder, openBackend, print }: Surroundings): Promise<number> {
  const { values, positionals } = parseArguments(args);
  if (values.help) {
    print(USAGE);
    return 0;
  }
  if (positionals.length > 1) throw new FinegrainError(`one folder of cases is expected, not ${positionals.length}`);
  const files = caseFiles(positionals[0] ?? folder);
  await using backend = await openBackend(values.backend);
  const outcomes: Outcome[] = [];
  for (const file of files) {
    const outcome = await runCase(backend, file);
    outcomes.push(outcome);
    print(outcomeLine(outcome));
  }
  print(summaryLine(outcomes));
  return outcomes.some(({ status }) => status === "FAIL") ? 1 : 0;
}

function parseArguments(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { backend: { type: "string", default: "reference" }, help: { type: "boolean", default: false } },
    });
  } catch (error) {
    throw new FinegrainError((error as Error).message); // parseArgs throws errors with a sentence for the user
  }
}
