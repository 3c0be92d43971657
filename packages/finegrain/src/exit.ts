/** What the command returns to the shell. */
export const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The command line itself is wrong: an unknown flag, a missing operand. Exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** What is shown of an error, and what the shell gets. */
export interface Failure {
  readonly text: string;
  readonly code: ExitCode;
}

/**
 * An error as the person at the terminal sees it: one sentence for wrong input, for what the system refuses (a full disk,
 * a folder without permission) and for wrong flags; the stack only for a mistake of ours.
 */
export function failure(error: unknown): Failure {
  if (error instanceof UsageError) return { text: error.message, code: EXIT.usage };
  if (!(error instanceof Error)) return { text: String(error), code: EXIT.failed };
  // What went wrong first, where closing what was open then failed for the same reason.
  if (error.name === "SuppressedError" && "suppressed" in error) return failure(error.suppressed);
  // By its field, not its class: the package with the class is not loaded by commands that do not need it.
  if (error.name === "UnknownNameError") return { text: error.message, code: EXIT.usage };
  if (isForPeople(error) || "syscall" in error) return { text: error.message, code: EXIT.failed };
  if (error instanceof RangeError && /allocation failed/i.test(error.message))
    return { text: `out of memory: ${error.message}`, code: EXIT.failed };
  return { text: `this is a mistake in finegrain: ${error.stack ?? error.message}`, code: EXIT.failed };
}

/** FinegrainError and the classes made from it. */
function isForPeople(error: Error): boolean {
  for (let type = Object.getPrototypeOf(error); type !== null; type = Object.getPrototypeOf(type))
    if (type.constructor?.name === "FinegrainError") return true;
  return false;
}
