import { duration } from "./format.ts";

const BAR = 20;

/**
 * `━━━━━─────  42 %`, then the time left, then what is given: where the terminal is narrow, that is what is cut.
 *
 * @param seconds since `first` of the total were done.
 */
export function progressLine(
  done: number,
  total: number,
  seconds: number,
  facts: readonly string[],
  first = 0,
): string {
  const part = total === 0 ? 1 : done / total;
  const full = Math.round(part * BAR);
  const left = done === first ? "" : `${duration((seconds / (done - first)) * (total - done))} left`;
  const bar = "━".repeat(full) + "─".repeat(BAR - full);
  return [bar, `${String(Math.floor(part * 100)).padStart(3)} %`, left, ...facts].filter(Boolean).join("  ");
}
