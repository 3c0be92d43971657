import type { Evidence } from "../evidence.ts";
import { allResults } from "./all-results.ts";
import { page } from "./page.ts";
import { newest, seriesOf } from "./series.ts";
import { speedUp } from "./speed-up.ts";
import { throughput } from "./throughput.ts";

export { type Evidence, readEvidence } from "../evidence.ts";
export { GENERATOR } from "./page.ts";

/**
 * One page of HTML that holds all it needs, from result files of any machines and the metrics of training runs. Charts show
 * the last result for the same thing on the same machine, in the order of the files; the table has all of them.
 */
export function reportPage(evidence: readonly Evidence[]): string {
  const all = evidence.flatMap(({ results }) => results);
  const results = newest(all);
  const series = seriesOf(results);
  return page(summary(evidence), [
    {
      id: "speed-up",
      title: "Against the paper",
      lead: "Decoding of the models in table 1 of “Sparse is Enough in Scaling Transformers”, sparse over dense.",
      content: speedUp(results, series),
    },
    {
      id: "throughput",
      title: "Throughput",
      lead: "Decoding and training by backend. Times of shared machines are noisy: compare within one chart.",
      content: throughput(results, series),
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
  const machines = new Set(results.map(({ machine }) => machine.cpu)).size;
  const parts = [
    results.length > 0 && `${plural(results.length, "result")} of ${plural(machines, "machine")}`,
    runs > 0 && plural(runs, "training run"),
  ];
  return parts.filter(Boolean).join(", ");
}

const plural = (n: number, noun: string) => `${n} ${noun}${n === 1 ? "" : "s"}`;
