import type { Buffer, Compiled, ListGraph } from "@finegrain/graph";

/**
 * Run a program so many times, one behind the other. Results are disposed when their run is over: one whose results nobody wants any more may be
 * left out.
 * @param finish resolves when these results, of the last run, are there.
 * @returns seconds of a run.
 */
export async function repeat(
  executable: Compiled<ListGraph>,
  operands: readonly Buffer[],
  { times, finish }: { times: number; finish: (results: readonly Buffer[]) => Promise<void> },
): Promise<number> {
  const started = performance.now();
  for (let k = 1; k <= times; k++) {
    const results = executable.run(operands);
    if (k === times) await finish(results);
    else await results[0]!.made(); // and so all of them, which come together
    for (const result of results) result[Symbol.dispose]();
  }
  return (performance.now() - started) / 1000 / times;
}
