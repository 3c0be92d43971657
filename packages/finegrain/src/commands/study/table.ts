import type { VariantSummary } from "@finegrain/bench";
import { bytes, count, digits } from "../../output/format.ts";
import { table } from "../../output/table.ts";
import { left, right } from "../bench/table.ts";

/** What a study found, as lines of text: bits per byte on all of the held-out text, as the variants decode. */
export function studyTable(variants: readonly VariantSummary[]): string[] {
  const columns = [
    left("variant"),
    right("parameters"),
    right("rate"),
    right("bits/byte"),
    left("best to worst of"),
    right("to the first"),
    right("a token reads"),
    right("of it feed-forward"),
  ];
  const rows = variants.map(({ name, parameters, rate, asDecoded, seeds, overFirst, ...figures }) => [
    name,
    count(parameters),
    digits(rate),
    asDecoded.mean.toFixed(4),
    seeds === 1 ? "1 seed" : `${asDecoded.low.toFixed(4)} to ${asDecoded.high.toFixed(4)}, ${seeds} seeds`,
    `${overFirst < 0 ? "" : "+"}${(100 * overFirst).toFixed(2)} %`,
    bytes(figures.bytesPerToken),
    bytes(figures.feedForwardBytesPerToken),
  ]);
  return variants.length === 0 ? [] : [table(columns, rows)];
}
