import {
  add,
  type Buffer,
  einsum,
  graph,
  type HostTensor,
  hostTensor,
  input,
  mul,
  reduceSum,
  referenceBackend,
  relu,
} from "@finegrain/graph";
import { expect, test } from "vitest";
import { wasmBackend } from "../src/index.ts";
import { inParts, rangeOf } from "../src/render/parts.ts";
import type { Step } from "../src/render/schedule.ts";

const N = 640;

/** Products, sums and elements of [N, N], over two thousand million operations in all. */
function large() {
  const [x, w] = [input([N, N], "float32", "x"), input([N, N], "float32", "w")];
  let y = x;
  for (let i = 0; i < 4; i++) y = relu(add(einsum(y, w, "B D, D F -> B F"), mul(y, 0.5)));
  return graph({ name: "large", inputs: [x, w], outputs: [y, reduceSum(y, { axes: [1] })] });
}

const numbers = (seed: number) =>
  hostTensor(
    "float32",
    [N, N],
    Float32Array.from({ length: N * N }, (_, i) => Math.sin(i * seed) / Math.sqrt(N)),
  );

/** What is read of a run, and the share of it in which a timer of one millisecond had no turn. */
async function runBesideTimer(run: () => readonly Buffer[]) {
  const started = performance.now();
  let [last, longest, ticks] = [started, 0, 0];
  const see = () => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  };
  const timer = setInterval(() => {
    ticks++;
    see();
  }, 1);
  const results = await Promise.all(run().map((buffer) => buffer.read()));
  clearInterval(timer);
  see();
  return { results, ticks, withoutTurn: longest / (last - started) };
}

test.each([1, 2, 3])("a long run on %i threads lets timers have their turns, and is right", async (threads) => {
  await using backend = await wasmBackend({ threads });
  const [x, w] = [numbers(1.1), numbers(2.3)];
  using executable = await backend.compile(large());
  const given = [backend.upload(x), backend.upload(w)];
  // Another process may have the processor for any part of one run, but hardly for one in each of five.
  const runs = [];
  for (let i = 0; i < 5; i++) runs.push(await runBesideTimer(() => executable.run(given)));
  expect(Math.max(...runs.map(({ ticks }) => ticks))).toBeGreaterThan(3);
  expect(Math.min(...runs.map(({ withoutTurn }) => withoutTurn))).toBeLessThan(1 / 3);
  const [found, summed] = runs[0]!.results as [HostTensor, HostTensor];
  const rows = 3; // of the reference, which would take seconds for all
  const [a, b] = [input([rows, N], "float32", "x"), input([N, N], "float32", "w")];
  let z = a;
  for (let i = 0; i < 4; i++) z = relu(add(einsum(z, b, "B D, D F -> B F"), mul(z, 0.5)));
  const reference = referenceBackend();
  const few = await reference.compile(
    graph({ name: "few", inputs: [a, b], outputs: [z, reduceSum(z, { axes: [1] })] }),
  );
  const head = hostTensor("float32", [rows, N], x.data.slice(0, rows * N));
  const [expected, expectedSums] = few.run([reference.upload(head), reference.upload(w)]) as [Buffer, Buffer];
  for (const [i, value] of (await expected.read()).data.entries()) expect(found.data[i]).toBeCloseTo(value, 4);
  for (const [i, value] of (await expectedSums.read()).data.entries()) expect(summed.data[i]).toBeCloseTo(value, 3);
});

test("a run whose results nobody wants ends at its next part, and leaves no memory taken", async () => {
  await using backend = await wasmBackend({ threads: 2 });
  using executable = await backend.compile(large());
  const given = [backend.upload(numbers(1.1)), backend.upload(numbers(2.3))];
  const before = backend.memoryInUse!();
  const started = performance.now();
  for (let i = 0; i < 50; i++) for (const result of executable.run(given)) result[Symbol.dispose]();
  expect(performance.now() - started).toBeLessThan(200);
  expect(backend.memoryInUse!()).toBe(before);
  const results = executable.run(given);
  for (const buffer of given) buffer[Symbol.dispose](); // which the run still reads
  expect((await results[1]!.read()).data.some(Number.isNaN)).toBe(false);
});

test("closing the backend ends the runs that are under way, and says so to who waits", async () => {
  const backend = await wasmBackend({ threads: 2 });
  const executable = await backend.compile(large());
  const given = [backend.upload(numbers(1.1)), backend.upload(numbers(2.3))];
  const reading = expect(executable.run(given)[0]!.read()).rejects.toThrow("wasm was closed: open the backend again");
  await backend[Symbol.asyncDispose]();
  await reading;
});

const step = (operations: number, units: number, grain: number): Step =>
  ({ operations, share: units, rendered: { units, grain } }) as Step; // all that is looked at

test("steps that are too much are cut into pieces, the others stay in their groups", () => {
  const groups = [[step(10, 5, 1), step(20, 5, 1)], [step(1000, 70, 16)], [step(50, 1, 1)], [step(60, 1, 1)]];
  const parts = inParts(groups, 1, 100);
  const shown = parts.map((part) => part.map((group) => group.map(({ number, nth, of }) => `${number}:${nth}/${of}`)));
  expect(shown).toEqual([
    [["0:0/1", "1:0/1"]],
    ...Array.from({ length: 10 }, (_, nth) => [[`2:${nth}/10`]]),
    [["3:0/1"]],
    [["4:0/1"]],
  ]);
  const pieces = parts.flat(2).filter(({ of }) => of === 10);
  const ranges = pieces.map((piece) => rangeOf(piece));
  expect(ranges[0]!.begin).toBe(0);
  expect(ranges.at(-1)!.end).toBe(70);
  for (const [i, { begin }] of ranges.entries()) {
    expect(begin % 16).toBe(0);
    if (i > 0) expect(begin).toBe(ranges[i - 1]!.end);
  }
});
