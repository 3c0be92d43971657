import type { Result } from "@finegrain/bench";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { benchProgress } from "../src/commands/bench/progress.ts";
import { terminal } from "../src/output/terminal.ts";

const { stderr } = process;
const before = { isTTY: stderr.isTTY, rows: stderr.rows, columns: stderr.columns };
let written: string;

beforeEach(() => {
  written = "";
  Object.assign(stderr, { isTTY: true, rows: 5, columns: 60 });
  vi.spyOn(stderr, "write").mockImplementation((text) => {
    written += String(text);
    return true;
  });
  vi.useFakeTimers({ toFake: ["performance"] });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  Object.assign(stderr, before);
});

test("progress of several lines replaces itself, and is erased", () => {
  vi.advanceTimersByTime(1000);
  const out = terminal();
  out.progress("one\ntwo\nthree");
  expect(written).toBe("one\ntwo\nthree");
  written = "";
  out.progress("too soon");
  expect(written).toBe("");
  vi.advanceTimersByTime(1000);
  out.progress(() => "four");
  expect(written).toBe("\r\x1b[2K\x1b[1A\x1b[2K\x1b[1A\x1b[2Kfour");
  written = "";
  out.clear();
  expect(written).toBe("\r\x1b[2K");
});

test("of more lines than the terminal has, the last are shown, cut to its width", () => {
  vi.advanceTimersByTime(1000);
  terminal().progress(["0", "1", "2", "3", "4", "5".repeat(99)].join("\n"));
  expect(written).toBe(`2\n3\n4\n${"5".repeat(58)}…`);
});

test("nothing is asked for where stderr is no terminal", () => {
  Object.assign(stderr, { isTTY: false });
  vi.advanceTimersByTime(1000);
  terminal().progress(() => {
    throw new Error("it was asked");
  });
  expect(written).toBe("");
});

test("the table of a case fills in over the line that tells the time left", () => {
  const failure = { variant: "dense", error: "out of memory" } as Result; // what the table reads of it
  const show = benchProgress(terminal(), "onnx:cpu");
  vi.advanceTimersByTime(1000);
  show({ case: "small", activity: "measuring", done: 0, of: 4, soFar: () => [] });
  expect(written).toMatch(/^─+ {4}0 % {2}onnx:cpu {2}small: measuring$/);
  written = "";
  vi.advanceTimersByTime(3000);
  show({ case: "small", activity: "measuring", done: 1, of: 4, soFar: () => [failure] });
  expect(written).toContain("dense failed: out of memory\n━━━━━─");
  expect(written).toMatch(/25 % {2}9\.0 s left {2}onnx:cpu/);
});
