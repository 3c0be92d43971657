import { digits, percent } from "@finegrain/bench/format";
import type { Result } from "@finegrain/bench/method";

interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** What a row shows of a result. */
interface Row {
  readonly result: Result;
  /** Tokens or runs a second: the more the better; undefined where it failed. */
  readonly speed: Spread | undefined;
}

const COLUMNS = ["Variant", "Speed", "Over dense", "Of the limit", "Rounds", "Device", "Engine"];

/** Tables of results, one for every case, with the devices side by side. */
export function resultTables(results: readonly Result[]): HTMLElement[] {
  const cases = new Map<string, Row[]>();
  for (const result of results) {
    const key = `${result.suite}: ${result.case}`;
    cases.set(key, [...(cases.get(key) ?? []), { result, speed: speedOf(result) }]);
  }
  return [...cases].map(([name, rows]) => caseTable(name, rows));
}

function speedOf(result: Result): Spread | undefined {
  if ("error" in result) return undefined;
  if ("tokensPerSecond" in result) return result.tokensPerSecond;
  const { median, low, high } = result.milliseconds;
  return { median: 1000 / median, low: 1000 / high, high: 1000 / low };
}

function caseTable(name: string, rows: readonly Row[]): HTMLElement {
  const box = element("div", { className: "results", tabIndex: 0 });
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", name);
  const table = box.appendChild(element("table"));
  table.append(element("caption", { textContent: name }));
  const head = table.createTHead().insertRow();
  head.append(...COLUMNS.map((column) => element("th", { scope: "col", textContent: column })));
  const body = table.createTBody();
  const most = Math.max(...rows.flatMap(({ speed }) => (speed ? [speed.high] : [])));
  for (const row of rows) body.append(rowOf(row, most));
  return box;
}

function rowOf({ result, speed }: Row, most: number): HTMLTableRowElement {
  const row = element("tr");
  row.append(element("th", { scope: "row", textContent: result.variant }));
  const place = [result.machine.cpu, result.backend].map((text) => element("td", { textContent: text }));
  if (speed === undefined || "error" in result) {
    const error = "error" in result ? result.error : "";
    row.append(element("td", { colSpan: COLUMNS.length - 1 - place.length, textContent: error }), ...place);
    return row;
  }
  const unit = "tokensPerSecond" in result ? "tokens/s" : "runs/s";
  const cell = element("td", { textContent: `${digits(speed.median)} ${unit}${result.wide ? ", wide" : ""}` });
  cell.title = `${digits(speed.low)} to ${digits(speed.high)}`;
  cell.append(span(speed, most, result.variant !== "dense"));
  const over = "overDense" in result ? result.overDense : null;
  const ratio =
    over === null || over.low === over.high
      ? "–"
      : `${digits(over.median)} (${digits(over.low)} to ${digits(over.high)})`;
  const others = [ratio, percent(result.rooflineShare), `${result.rounds}`];
  row.append(cell, ...others.map((text) => element("td", { textContent: text })), ...place);
  return row;
}

/** A bar up to the median, with the interval as its strong part. */
function span({ median, low, high }: Spread, most: number, isSparse: boolean): HTMLElement {
  const bar = element("div", { className: isSparse ? "span sparse" : "span" });
  const part = (value: number) => `${(100 * value) / most}%`;
  const [whole, interval] = [element("i"), element("b")];
  whole.style.width = part(median);
  interval.style.left = part(low);
  interval.style.width = `max(2px, ${part(high - low)})`;
  bar.append(whole, interval);
  return bar;
}

const element = <K extends keyof HTMLElementTagNameMap>(
  name: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
): HTMLElementTagNameMap[K] => Object.assign(document.createElement(name), properties);
