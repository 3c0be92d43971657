/** `1,234,567`. */
export const whole = (value: number): string => Math.round(value).toLocaleString("en-US");

/** About three digits: `12.3`, `1,230`, `0.0123`. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return "-";
  const size = Math.abs(value);
  if (size >= 100) return whole(value);
  if (size === 0) return "0";
  return value.toFixed(Math.max(0, 2 - Math.floor(Math.log10(size))));
}

/** `80 %`, of a part of 1: `0.4 %` where it is small. */
export const percent = (part: number): string => `${part < 0.0995 ? (part * 100).toFixed(1) : whole(part * 100)} %`;

/** `1.2 GB`, in powers of ten, as memory bandwidths are given. */
export const bytes = (value: number): string => scaled(value, ["B", "kB", "MB", "GB", "TB"]);

/** `12.3 M`. */
export const count = (value: number): string => (value < 1000 ? whole(value) : scaled(value, ["", "k", "M", "B", "T"]));

/** `281 GFLOP/s`. */
export const flopRate = (value: number): string =>
  scaled(value, ["FLOP/s", "kFLOP/s", "MFLOP/s", "GFLOP/s", "TFLOP/s"]);

function scaled(value: number, units: readonly string[]): string {
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, value)) / 3)));
  return `${digits(value / 1000 ** power)} ${units[power]}`.trimEnd();
}

/** `4.2 s`, `1 min 05 s`, `2 h 03 min`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "-";
  if (seconds < 59.95) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const [big, small, units] =
    seconds < 3600
      ? [Math.floor(Math.round(seconds) / 60), Math.round(seconds) % 60, ["min", "s"]]
      : [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), ["h", "min"]];
  return `${big} ${units[0]} ${String(small).padStart(2, "0")} ${units[1]}`;
}
