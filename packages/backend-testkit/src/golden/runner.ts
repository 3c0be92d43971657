import { type Backend, UnsupportedOpError } from "@finegrain/graph";
import { type CaseFile, type GoldenCase, readCase, Unsupported } from "./case.ts";
import { runTrial, shown, type Trial } from "./checks.ts";
import { llmRandomTrial } from "./llm-random/index.ts";
import { traxTrial } from "./trax/index.ts";
import { wideTrial } from "./trax-wide/index.ts";

/** What came of one case file: a line of the report. */
export interface Outcome {
  readonly status: "ok" | "FAIL" | "unsupported";
  readonly name: string;
  /** The largest errors, or what is missing or wrong. */
  readonly detail: string;
}

/** Run one case file. Never throws: what goes wrong is a FAIL. */
export async function runCase(backend: Backend, file: CaseFile): Promise<Outcome> {
  const { name } = file;
  try {
    const golden = await readCase(file);
    const { absolute, relative, failures } = await runTrial(backend, trialOf(golden));
    const errors = `largest absolute error ${shown(absolute)}, relative ${shown(relative)}`;
    if (failures.length === 0) return { status: "ok", name, detail: errors };
    return { status: "FAIL", name, detail: `${errors}; ${failures.join("; ")}` };
  } catch (error) {
    if (error instanceof Unsupported || error instanceof UnsupportedOpError)
      return { status: "unsupported", name, detail: error.message };
    return { status: "FAIL", name, detail: error instanceof Error ? error.message : String(error) };
  }
}

/** The families of cases are told apart by their metadata. */
function trialOf(golden: GoldenCase): Trial {
  if (golden.metadata.source !== undefined) return traxTrial(golden);
  if (golden.metadata.layer !== undefined) return wideTrial(golden);
  if (golden.metadata.class !== undefined) return llmRandomTrial(golden);
  throw new Unsupported("a file that names no layer");
}

/** "ok NAME: largest ..." */
export const outcomeLine = ({ status, name, detail }: Outcome): string => `${status} ${name}: ${detail}`;

/** "49 ok, 0 FAIL, 17 unsupported". */
export function summaryLine(outcomes: readonly Outcome[]): string {
  const count = (status: Outcome["status"]) => outcomes.filter((outcome) => outcome.status === status).length;
  return `${count("ok")} ok, ${count("FAIL")} FAIL, ${count("unsupported")} unsupported`;
}
