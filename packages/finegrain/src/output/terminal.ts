import type { WriteStream } from "node:tty";
import { wrap } from "./wrap.ts";

/** Where a command writes: results to stdout, progress to stderr. */
export interface Terminal {
  /** A line of the result. */
  print(line?: string): void;
  /** A piece of the result, without a line end. */
  write(text: string): void;
  /**
   * Show how far a piece of work is, in lines that replace themselves. Nothing where stderr is not a terminal: what takes
   * time to say is given as a function, which is called where it is shown.
   */
  progress(lines: string | (() => string)): void;
  /** A line that stays, above the progress; shown where stderr is not a terminal, too. */
  note(line: string): void;
  /** Take the progress away. */
  clear(): void;
  readonly style: Style;
}

export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  green(text: string): string;
}

/** The least time between two sights of the progress, in milliseconds. */
const LEAST_INTERVAL = 80;

/**
 * The process's own terminal. Colour and the progress only where a stream is a terminal; no colour where NO_COLOR
 * is set (no-color.org).
 *
 * @param quiet for `--json`: lines and notes for people are left out, `write` alone goes through.
 */
export function terminal({ quiet = false }: { readonly quiet?: boolean } = {}): Terminal {
  const { stdout, stderr } = process;
  const live = stderr.isTTY === true && !quiet;
  const coloured = stdout.isTTY === true && (process.env.NO_COLOR ?? "") === "" && process.env.TERM !== "dumb";
  /** Lines of progress that stand there; the cursor is in the last. */
  let shown = 0;
  let last = 0;
  const erased = () => (shown === 0 ? "" : `\r\x1b[2K${"\x1b[1A\x1b[2K".repeat(shown - 1)}`);
  const clear = () => {
    if (shown > 0) stderr.write(erased());
    shown = 0;
  };
  return {
    print(line = "") {
      if (quiet) return;
      clear();
      stdout.write(`${fitting(line, stdout)}\n`);
    },
    write(text) {
      clear();
      stdout.write(text);
    },
    progress(lines) {
      if (!live || performance.now() - last < LEAST_INTERVAL) return;
      last = performance.now();
      const shownLines = (typeof lines === "string" ? lines : lines()).split("\n").slice(-mostLines(stderr));
      stderr.write(erased() + shownLines.map((line) => fit(line, stderr)).join("\n"));
      shown = shownLines.length;
    },
    note(line) {
      if (quiet) return;
      clear();
      stderr.write(`${fitting(line, stderr)}\n`);
    },
    clear,
    style: style(coloured),
  };
}

/** What scrolled away could not be erased. */
const mostLines = ({ rows = 24 }: Partial<WriteStream>) => Math.max(1, rows - 1);

/** A paragraph between whose words a terminal of some width begins a new line. */
const fitting = (text: string, stream: Partial<WriteStream>): string =>
  stream.isTTY === true && !/[─━]| {3}/.test(text)
    ? text
        .split("\n")
        .flatMap((line) => wrap(line, widthOf(stream)))
        .join("\n")
    : text;

const fit = (line: string, stream: Partial<WriteStream>) =>
  line.length < widthOf(stream) ? line : `${line.slice(0, widthOf(stream) - 2)}…`;

/** A terminal that does not know its width says 0, or nothing. */
const widthOf = ({ columns }: Partial<WriteStream>): number => columns || 80;

function style(coloured: boolean): Style {
  const paint = (code: number, off: number) => (text: string) => (coloured ? `\x1b[${code}m${text}\x1b[${off}m` : text);
  return { bold: paint(1, 22), dim: paint(2, 22), green: paint(32, 39) };
}
