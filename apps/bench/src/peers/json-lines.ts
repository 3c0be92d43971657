import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { FinegrainError, isJsonObject } from "@finegrain/graph";

/** What the other process answers with: a JSON object. */
export type Answer = Readonly<Record<string, unknown>>;

/** A process that answers requests, one JSON object a line, in the order in which they came. */
export interface JsonLines extends AsyncDisposable {
  /**
   * Ask, and wait for the answer.
   * @throws FinegrainError with the process's own sentence where it answers `{ error }`, and where it ended or wrote
   *   something else.
   */
  request(body: Answer): Promise<Answer>;
}

/** Milliseconds that a process has to end by itself once nothing more will be asked. */
const PATIENCE = 3000;
/** Characters of what a process wrote to stderr that are kept for the sentence about its end. */
const KEPT = 4000;

interface Waiting {
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/**
 * Start a process that speaks JSON lines over its standard streams. Disposing of it closes its input, which tells it to
 * end, and kills it where it does not; so does the end of this process, however it comes.
 *
 * @param name how errors call it.
 */
export function jsonLines(name: string, command: string, args: readonly string[]): JsonLines {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
  const waiting: Waiting[] = [];
  let complaints = "";
  let failure: FinegrainError | undefined;
  const fail = (sentence: string) => {
    failure ??= new FinegrainError(sentence);
    for (const { reject } of waiting.splice(0)) reject(failure);
  };
  const ended = new Promise<void>((resolve) => {
    child.on("error", (error) => {
      fail(`${name} could not be started: ${error.message}`);
      resolve();
    });
    child.on("close", (code, signal) => {
      const last = complaints.trim().split("\n").at(-1);
      fail(`${name} ended (${signal ?? `exit code ${code}`})${last ? `: ${last}` : ""}`);
      resolve();
    });
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaints = (complaints + text).slice(-KEPT);
  });
  // Writing to a process that has just ended is an error of the stream; the process's end has said it better.
  child.stdin.on("error", () => {});
  createInterface({ input: child.stdout }).on("line", (line) => {
    const next = waiting.shift();
    const answer = parsed(line);
    if (next === undefined || answer === undefined) {
      next?.reject(new FinegrainError(`${name} answered what is no JSON object: ${line.slice(0, 80)}`));
      fail(`${name} wrote what nobody asked for: ${line.slice(0, 80)}`);
      child.kill("SIGKILL");
    } else if (typeof answer.error === "string") next.reject(new FinegrainError(`${name}: ${answer.error}`));
    else next.resolve(answer);
  });
  return {
    request(body) {
      if (failure) return Promise.reject(failure);
      child.stdin.write(`${JSON.stringify(body)}\n`);
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** A field of an answer that must be a number. @throws FinegrainError where it is not. */
export function numberOf(answer: Answer, field: string): number {
  const value = answer[field];
  if (typeof value === "number") return value;
  throw new FinegrainError(`an answer has no number "${field}": ${JSON.stringify(answer)}`);
}

/** A field of an answer that must be a text. @throws FinegrainError where it is not. */
export function textOf(answer: Answer, field: string): string {
  const value = answer[field];
  if (typeof value === "string") return value;
  throw new FinegrainError(`an answer has no text "${field}": ${JSON.stringify(answer)}`);
}

function parsed(line: string): Answer | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
