import { stat } from "node:fs/promises";
import { backendOptions } from "@finegrain/backends";
import {
  appendResults,
  isMeasurement,
  loadStudy,
  readEvidence,
  runStudy,
  runSuite,
  type Study,
  type StudyOptions,
  type StudyResult,
  type StudyRun,
  speedSuite,
  summarize,
} from "@finegrain/bench";
import type { Values } from "../../arguments.ts";
import { EXIT, type ExitCode } from "../../exit.ts";
import { interruptible } from "../../interrupt.ts";
import { hint } from "../../output/hint.ts";
import { type Terminal, terminal } from "../../output/terminal.ts";
import { benchProgress } from "../bench/progress.ts";
import { openNoting } from "../open-backend.ts";
import { trainingProgress } from "../train/progress.ts";
import type { studyFlags } from "./flags.ts";
import { studyTable } from "./table.ts";

/**
 * `finegrain study FILE`: make the runs of a study that its results do not hold yet, one after the other; each is appended as
 * it ends, so that an interruption keeps them. Then measure the speed of all variants in turns, and print the table.
 */
export async function study(values: Values<typeof studyFlags>, [file]: readonly string[]): Promise<ExitCode> {
  const plan = await loadStudy(file!); // the operand is required
  const { json = `${plan.name}.jsonl`, out: folder = `runs/${plan.name}` } = values;
  const before = await earlierResults(json);
  await appendResults(json, []); // a file that cannot be written should be known before hours of training
  const out = terminal();
  await using backend = await openNoting(out, backendOptions(values.backend, values.device));
  using interrupt = interruptible(() => out.note("finishing this step and writing a checkpoint"));
  const { signal } = interrupt;
  out.print(out.style.bold(`${plan.name}: ${plan.title}`));
  const results = [...before.studies];
  const options: StudyOptions = { backend, folder, results, signal, onRun: (...run) => announce(out, ...run) };
  for await (const result of runStudy(plan, options)) {
    results.push(result);
    await appendResults(json, [result]);
    out.clear();
    out.print(`${inWords(result)}: ${result.bitsPerByte.toFixed(4)} bits per byte`);
  }
  if (signal.aborted) {
    out.print(`stopped; go on with: ${hint("study", file!, "--json", json, "--out", folder)}`);
    return EXIT.interrupted;
  }
  const isKnown = before.results.some((result) => result.suite === plan.name);
  const measured = values["no-speed"] || isKnown ? [] : await speeds(plan, { backend, out, signal, json });
  const all = [...before.results, ...measured].filter(isMeasurement);
  for (const line of studyTable(
    summarize(
      results.filter((result) => result.study === plan.name),
      all,
    ),
  ))
    out.print(line);
  return signal.aborted ? EXIT.interrupted : EXIT.ok;
}

async function earlierResults(path: string) {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  return size === 0 ? { results: [], studies: [] } : readEvidence(path);
}

function announce(out: Terminal, run: StudyRun, { ended, of }: { readonly ended: number; readonly of: number }) {
  out.print(out.style.dim(`run ${ended + 1} of ${of}: ${inWords({ ...run, variant: run.variant.name })}`));
  return trainingProgress(out);
}

const inWords = ({
  variant,
  role,
  rate,
  seed,
  steps,
}: Pick<StudyResult, "variant" | "role" | "rate" | "seed" | "steps">) =>
  `${variant}, ${role === "rate" ? "to find its rate, " : ""}rate ${rate}, seed ${seed}, ${steps} steps`;

interface SpeedOptions extends Pick<StudyOptions, "backend" | "signal"> {
  readonly out: Terminal;
  readonly json: string;
}

async function speeds(plan: Study, { backend, out, signal, json }: SpeedOptions) {
  const measured = [];
  const suite = speedSuite(plan);
  for await (const results of runSuite(suite, { backend, signal, onProgress: benchProgress(out, backend.name) })) {
    measured.push(...results);
    await appendResults(json, results);
  }
  out.clear();
  return measured;
}
