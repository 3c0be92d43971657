/** An error as one line of text. */
export const errorSentence = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n")[0]!;
