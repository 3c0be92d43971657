import type { WriteStream } from "node:tty";

/** Where a command writes: results to stdout, progress to stderr. */
export interface Terminal {
  /** A line of the result. */
  print(line?: string): void;
  /** A piece of the result, without a line end. */
  write(text: string): void;
  /** Show how far a piece of work is, in one line that replaces itself. Nothing where stderr is not a terminal. */
  progress(line: string): void;
  /** A line that stays, above the progress line; shown where stderr is not a terminal, too. */
  note(line: string): void;
  /** Take the progress line away. */
  clear(): void;
  readonly style: Style;
}

export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  green(text: string): string;
}

/** The least time between two progress lines, in milliseconds. */
const LEAST_INTERVAL = 80;

/**
 * The process's own terminal. Colour and the progress line only where a stream is a terminal; no colour where NO_COLOR
 * is set (no-color.org).
 *
 * @param quiet for `--json`: lines and notes for people are left out, `write` alone goes through.
 */
export function terminal({ quiet = false }: { readonly quiet?: boolean } = {}): Terminal {
  const { stdout, stderr } = process;
  const live = stderr.isTTY === true && !quiet;
  const coloured = stdout.isTTY === true && (process.env.NO_COLOR ?? "") === "" && process.env.TERM !== "dumb";
  let shown = false;
  let last = 0;
  const clear = () => {
    if (shown) stderr.write("\r\x1b[2K");
    shown = false;
  };
  return {
    print(line = "") {
      if (quiet) return;
      clear();
      stdout.write(`${line}\n`);
    },
    write(text) {
      clear();
      stdout.write(text);
    },
    progress(line) {
      if (!live || performance.now() - last < LEAST_INTERVAL) return;
      last = performance.now();
      shown = true;
      stderr.write(`\r\x1b[2K${fit(line, stderr)}`);
    },
    note(line) {
      if (quiet) return;
      clear();
      stderr.write(`${line}\n`);
    },
    clear,
    style: style(coloured),
  };
}

const fit = (line: string, { columns = 80 }: Partial<WriteStream>) =>
  line.length < columns ? line : `${line.slice(0, columns - 2)}…`;

function style(coloured: boolean): Style {
  const paint = (code: number, off: number) => (text: string) => (coloured ? `\x1b[${code}m${text}\x1b[${off}m` : text);
  return { bold: paint(1, 22), dim: paint(2, 22), green: paint(32, 39) };
}
