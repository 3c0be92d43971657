/**
 * An error whose message is meant for the person who gave the input: one sentence with what was wrong, what was
 * expected, and the names and numbers involved. The command line prints it without a stack trace.
 */
export class FinegrainError extends Error {
  override readonly name: string = "FinegrainError";
}

/** Shapes, dtypes or attributes that do not fit an op. Thrown while a graph is built. */
export class ShapeError extends FinegrainError {
  override readonly name = "ShapeError";
}

/** A backend was handed a graph with an op that it declares `unsupported`. Thrown by `compile`. */
export class UnsupportedOpError extends FinegrainError {
  override readonly name = "UnsupportedOpError";
}

/** A name that the caller gave is none of those that are known: of a backend, a device, a suite. The message lists them. */
export class UnknownNameError extends FinegrainError {
  override readonly name: string = "UnknownNameError";
}
