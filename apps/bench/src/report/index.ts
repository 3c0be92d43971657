import type { Evidence } from "../results/evidence.ts";
import { allResults } from "./all-results.ts";
import { context } from "./context.ts";
import { page } from "./page.ts";
import { paperTables } from "./paper.ts";
import { roofline } from "./roofline.ts";
import { scale } from "./scale.ts";
import { machinesOf, newest, seriesOf } from "./series.ts";
import { speedUp } from "./speed-up.ts";
import { studies } from "./studies.ts";
import { throughput } from "./throughput.ts";
import { training } from "./training.ts";

export { type Evidence, readEvidence } from "../results/evidence.ts";
export { GENERATOR } from "./page.ts";
export { type Recorded, readRecorded } from "./recorded.ts";
export { tablesPage } from "./tables.ts";

/**
 * One page of HTML that holds all it needs, from result files of any machines and the metrics of training runs. Charts show
 * the last result for the same thing on the same machine, in the order of the files; the table has all of them.
 */
export async function reportPage(evidence: readonly Evidence[]): Promise<string> {
  const all = evidence.flatMap(({ results }) => results);
  const results = newest(all);
  const series = seriesOf(results);
  return page(all.length > 0 ? "finegrain benchmarks" : "finegrain training runs", summary(evidence), [
    {
      id: "speed-up",
      title: "Against the paper",
      lead: "Decoding of the models in table 1 of “Sparse is Enough in Scaling Transformers”, sparse over dense.",
      content: speedUp(results, series, await paperTables()),
    },
    {
      id: "throughput",
      title: "Throughput",
      lead: "Decoding and training by backend. Times of shared machines are noisy: compare within one chart.",
      content: throughput(results, series),
    },
    {
      id: "roofline",
      title: "Roofline",
      lead: "How much of what the machine allows was reached, with the limits of the same run.",
      content: roofline(results, series),
    },
    {
      id: "scale",
      title: "Model size",
      lead: "Decoding larger and larger models, to as large as memory holds.",
      content: scale(results, series),
    },
    {
      id: "context",
      title: "Context length",
      lead: "Decoding with more and more tokens in the cache.",
      content: context(results, series),
    },
    {
      id: "studies",
      title: "Quality",
      lead: "Models that were trained alike, each at the rate that is best for it, on text of which a part was held out.",
      content: studies(evidence),
    },
    {
      id: "training",
      title: "Training curves",
      lead: "Runs of finegrain train, from their metrics.",
      content: training(evidence),
    },
    {
      id: "results",
      title: "All results",
      lead: "Every line of the files, with what it was measured on.",
      content: allResults(evidence),
    },
  ]);
}

function summary(evidence: readonly Evidence[]): string {
  const results = evidence.flatMap((file) => file.results);
  const runs = evidence.filter(({ metrics }) => metrics.length > 0).length;
  const studied = evidence.flatMap((file) => file.studies).length;
  const machines = machinesOf(results);
  const on = machines.length === 1 ? machines[0]! : plural(machines.length, "machine");
  const parts = [
    results.length > 0 && `${plural(results.length, "result")} of ${on}`,
    studied > 0 && `${plural(studied, "run")} of studies`,
    runs > 0 && plural(runs, "training run"),
  ];
  return parts.filter(Boolean).join("; ");
}

const plural = (n: number, noun: string) => `${n} ${noun}${n === 1 ? "" : "s"}`;
