import { count, digits, whole } from "../results/format.ts";

/** The least distance of two numbers below an axis, as a share of its length. */
const APART = 0.09;

/**
 * Where an axis between two values is marked. A logarithmic one at the places given, where they are few and not too near each
 * other, and else at round numbers: its own ticks would be too many, most of them without a number.
 */
export function ticks(
  { low, high, logarithmic }: { readonly low: number; readonly high: number; readonly logarithmic: boolean },
  most: number,
  places: readonly number[] = [],
): number | number[] {
  if (!logarithmic) return most;
  const [from, to] = [Math.log10(low), Math.log10(high)];
  const distinct = [...new Set(places)].sort((a, b) => a - b);
  const distances = distinct.slice(1).map((place, i) => Math.log10(place / distinct[i]!) / (to - from));
  const fits = distinct.length <= most && distances.every((distance) => distance >= Math.max(APART, 0.6 / most));
  return fits && distinct.length > 1 ? distinct : roundTicks(from, to, most);
}

/** Digits that a decade is marked at, from many to few. */
const DECADES = [[1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 5], [1, 2, 5], [1, 3], [1]];

function roundTicks(from: number, to: number, most: number): number[] {
  const decades = Array.from({ length: Math.floor(to) - Math.floor(from) + 1 }, (_, i) => Math.floor(from) + i);
  const choices = DECADES.map((steps) =>
    decades
      .flatMap((power) => steps.map((step) => step * 10 ** power))
      .filter((tick) => Math.log10(tick) >= from && Math.log10(tick) <= to),
  );
  const fitting = choices.find((choice) => choice.length <= most);
  if (fitting !== undefined) return fitting;
  const powers = choices.at(-1)!; // every decade once
  const every = Math.ceil(powers.length / most);
  return powers.filter((_, i) => i % every === 0);
}

/** A number at an axis: `0.5`, `20`, `4,096`, `64M`. */
export const tickLabel = (value: number): string =>
  Math.abs(value) < 10_000
    ? value >= 1000
      ? whole(value)
      : trimmed(digits(value))
    : trimmed(count(value)).replace(" ", "");

/** Without zeros that say nothing: `1.50 M` as `1.5 M`, `20.0` as `20`. */
const trimmed = (text: string): string =>
  text.replace(/\.(\d*?)0+(?!\d)/, (_, kept: string) => (kept === "" ? "" : `.${kept}`));
