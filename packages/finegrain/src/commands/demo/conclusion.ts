import { mean } from "@finegrain/bench";
import { digits } from "../../output/format.ts";

/** What the demo measured. */
export interface Findings {
  /** Bits per byte of each seed's run, held out. */
  readonly sparse: readonly number[];
  readonly dense: readonly number[];
  /** How many times faster the sparse model decodes at the width of the paper's; undefined where it was not measured. */
  readonly decode: number | undefined;
}

/** The lowest and the highest of some numbers; one of them where they are the same. */
export function spread(values: readonly number[]): string {
  const [least, most] = [digits(Math.min(...values)), digits(Math.max(...values))];
  return least === most ? least : `${least} to ${most}`;
}

/**
 * The demo in one sentence, as true as its numbers: a model is better where even its worst run is better than the best run of the
 * other one, and otherwise they are equal within what the seeds differ by.
 */
export function conclusion({ sparse, dense, decode }: Findings): string {
  const share = Math.abs(100 * (mean(sparse) / mean(dense) - 1)).toFixed(1);
  const quality =
    Math.max(...sparse) < Math.min(...dense)
      ? `${share} % better than the dense one`
      : Math.min(...sparse) > Math.max(...dense)
        ? `${share} % worse than the dense one`
        : "as good as the dense one, within what two runs of one model differ by";
  const numbers = `${spread(sparse)} bits per byte against ${spread(dense)}`;
  const speed =
    decode === undefined
      ? ""
      : decode > 1
        ? `, and decodes ${digits(decode)} times as fast at the width of the paper's model`
        : `, and is not faster here at the width of the paper's model (${digits(decode)} x)`;
  return `With as many parameters the sparse model is ${quality} (${numbers})${speed}.`;
}
