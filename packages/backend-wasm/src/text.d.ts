/** A program with all that it imports, as the text of one script: see `worker-text.ts` of the workspace. */
declare module "*?text" {
  const text: string;
  export default text;
}
