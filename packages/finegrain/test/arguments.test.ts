import { describe, expect, test } from "vitest";
import { readArguments } from "../src/arguments.ts";

const flags = {
  prompt: { type: "text", value: "TEXT", help: "" },
  steps: { type: "whole", value: "N", least: 1, default: 10, help: "" },
  rate: { type: "number", value: "X", help: "" },
  model: { type: "choice", choices: ["dense", "sparse"], default: "dense", help: "" },
  stop: { type: "texts", value: "TEXT", help: "" },
  json: { type: "switch", help: "" },
} as const;
const run = { name: "RUN", required: true, help: "a run folder" };
const read = (...args: string[]) => readArguments(args, flags, [run]);

describe("readArguments", () => {
  test("reads every kind of flag, wherever the operand stands", () => {
    const { values, operands } = read(
      "--prompt",
      "007",
      "here",
      "--steps=3",
      "--rate",
      "-1.5",
      "--stop",
      "a",
      "--stop",
      "b",
      "--json",
    );
    expect(values).toEqual({ prompt: "007", steps: 3, rate: -1.5, model: "dense", stop: ["a", "b"], json: true });
    expect(operands).toEqual(["here"]);
  });

  test("reads an operand that may be repeated", () => {
    const files = [{ name: "FILE", required: true, repeated: true, help: "files" }];
    expect(readArguments(["a", "--rate", "1", "b"], flags, files).operands).toEqual(["a", "b"]);
    expect(() => readArguments([], flags, files)).toThrow("FILE is missing: files");
  });

  test("keeps an empty text", () => {
    expect(read("here", "--prompt", "").values.prompt).toBe("");
  });

  test.each([
    [["here", "--stepps", "3"], "unknown flag --stepps: did you mean --steps?"],
    [["here", "--frobnicate"], "unknown flag --frobnicate"],
    [["here", "-x"], "unknown flag -x"],
    [["here", "--steps", "0"], '--steps must be a whole number of at least 1, not "0"'],
    [["here", "--steps", "2.5"], '--steps must be a whole number of at least 1, not "2.5"'],
    [["here", "--rate", "fast"], '--rate must be a number, not "fast"'],
    [["here", "--rate="], '--rate must be a number, not ""'],
    [["here", "--model", "huge"], '--model must be one of dense, sparse, not "huge"'],
    [["here", "--prompt"], "--prompt needs a value"],
    [["here", "--prompt", "--json"], "--prompt needs a value"],
    [["here", "--json=yes"], "--json takes no value"],
    [[], "RUN is missing: a run folder"],
    [["here", "there"], 'unexpected argument "there"'],
  ])("refuses %j", (args, sentence) => {
    expect(() => read(...args)).toThrow(expect.objectContaining({ name: "UsageError", message: sentence }));
  });
});
