import { add, type Backend, type Buffer, graph, hostTensor, input, mul } from "@finegrain/graph";
import { expect, it } from "vitest";
import { openHost } from "./host.ts";

const RUNS = 1000;
const SIDE = 128;
/** MiB in {@link RUNS}. */
const MOST_GROWTH = 32;

/** Runs that donate their state and free their results leave the process, or the page and its workers, as large as it was. */
export function describeMemory(backend: () => Backend): void {
  it(`does not grow over ${RUNS} runs`, { timeout: 120_000 }, async () => {
    const [state, x] = [input([SIDE, SIDE], "float32", "state"), input([SIDE, SIDE], "float32", "x")];
    const outputs = [add(state, 1), mul(x, state)];
    using executable = await backend().compile(graph({ name: "growth", inputs: [state, x], outputs }), {
      donate: ["0"],
    });
    const zeros = hostTensor("float32", [SIDE, SIDE], new Float32Array(SIDE * SIDE));
    const given = backend().upload(zeros);
    let current: Buffer = backend().upload(zeros);
    const run = async (times: number): Promise<void> => {
      for (let i = 0; i < times; i++) {
        const [next, result] = executable.run([current, given]) as [Buffer, Buffer]; // the graph has two outputs
        current = next;
        if (i % 50 === 0) await result.read();
        result[Symbol.dispose]();
      }
      expect((await current.read()).data[0]).toBeGreaterThan(0);
    };
    const host = await openHost();
    await run(2 * RUNS); // by then native objects that wait for their finalizers are as many as they get
    // A leak of one result a run would be 62 MiB each time; an allocator's or a collector's own ways are not so regular.
    let [least, runs] = [Number.POSITIVE_INFINITY, 2 * RUNS];
    for (let attempt = 0; attempt < 3 && least >= MOST_GROWTH; attempt++) {
      const before = await host.usedBytes();
      await run(RUNS);
      runs += RUNS;
      least = Math.min(least, ((await host.usedBytes()) - before) / 2 ** 20);
    }
    expect(least, "MiB of growth").toBeLessThan(MOST_GROWTH);
    expect((await current.read()).data[0]).toBe(runs);
    for (const buffer of [current, given]) buffer[Symbol.dispose]();
  });
}
