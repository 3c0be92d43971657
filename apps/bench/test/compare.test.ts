import { expect, test } from "vitest";
import type { Spread } from "../src/measure/statistics.ts";
import { compare, MARGINS, type Verdict } from "../src/results/compare.ts";
import type { Failure, Measurement, OpMeasurement, Result } from "../src/results/result.ts";

const spread = (median: number, by = 0.01): Spread => ({ median, low: median * (1 - by), high: median * (1 + by) });
const line = { suite: "s", case: "c", backend: "onnx:cpu", device: "a processor" };
const machine = { cpu: "a processor", threads: 2, memoryBytes: 1, os: "linux", peakMemoryBytes: 1 };
const versions = { finegrain: "0", node: "0", provider: "0" };

interface Given {
  readonly variant?: string;
  readonly speed?: Spread;
  readonly over?: Spread | null;
  readonly bandwidth?: number;
}
const measured = ({
  variant = "sparse",
  speed = spread(100),
  over = null,
  bandwidth = 1e9,
}: Given = {}): Measurement => ({
  ...line,
  phase: "decode",
  variant,
  versions,
  machine: { ...machine, bandwidthBytesPerSecond: bandwidth },
  tokensPerSecond: speed,
  millisecondsPerToken: 1000 / speed.median,
  parameters: 1,
  bytesPerToken: 1,
  rooflineShare: 1,
  overDense: over,
  rounds: 3,
});
const failure = (variant = "sparse"): Failure => ({
  ...line,
  phase: "decode",
  variant,
  versions,
  machine,
  error: "out of memory",
});
const verdict = (before: Result, now: Result): Verdict => compare([before], [now])[0]!.verdict;

test("ratios to dense are compared before speeds", () => {
  const before = measured({ over: spread(4), speed: spread(100) });
  expect(verdict(before, measured({ over: spread(4), speed: spread(50) }))).toBe("same");
  expect(verdict(before, measured({ over: spread(3), speed: spread(100) }))).toBe("slower");
  expect(verdict(before, measured({ over: spread(5), speed: spread(100) }))).toBe("faster");
});

test("a change is larger than its interval, and larger than its margin", () => {
  const over = (median: number, by: number) => measured({ over: spread(median, by) });
  expect(verdict(over(4, 0.2), over(3, 0.2))).toBe("same"); // 3.2 to 4.8, and 2.4 to 3.6
  const within = 1 + MARGINS["over dense"] / 2;
  expect(verdict(over(4, 1e-6), over(4 / within, 1e-6))).toBe("same");
  expect(verdict(over(4, 1e-6), over(4 * within, 1e-6))).toBe("same");
  expect(verdict(over(4, 1e-6), over(4 / within ** 4, 1e-6))).toBe("slower");
});

test("the dense variant's speed is compared as its machine's limits were", () => {
  const dense = (speed: number, bandwidth: number) =>
    measured({ variant: "dense", speed: spread(speed), over: { median: 1, low: 1, high: 1 }, bandwidth });
  expect(verdict(dense(100, 2e9), dense(50, 1e9))).toBe("same"); // half the speed of half the machine
  expect(verdict(dense(100, 1e9), dense(50, 1e9))).toBe("slower");
  expect(verdict(dense(100, 2e9), dense(100, 1e9))).toBe("faster");
  expect(verdict(dense(100, 0), dense(50, 1e9))).toBe("slower"); // no limit was measured then
});

test("operations are compared by their speed against the limit that binds them", () => {
  const op = (milliseconds: number, limits: { bandwidth: number; flops: number }): OpMeasurement => ({
    ...line,
    phase: "op",
    variant: "64",
    versions,
    machine: { ...machine, bandwidthBytesPerSecond: limits.bandwidth, flopsPerSecond: limits.flops },
    op: "gather",
    shape: { rows: 64 },
    milliseconds: spread(milliseconds),
    flops: 1,
    bytes: 2,
    intensity: 0.5,
    bytesPerSecond: 1,
    flopsPerSecond: 1,
    rooflineShare: 1,
    rounds: 3,
  });
  expect(verdict(op(1, { bandwidth: 1e9, flops: 1e12 }), op(2, { bandwidth: 1e9, flops: 1e12 }))).toBe("slower");
  expect(verdict(op(1, { bandwidth: 2e9, flops: 1e12 }), op(2, { bandwidth: 1e9, flops: 1e12 }))).toBe("same");
  expect(verdict(op(1, { bandwidth: 2e12, flops: 2e9 }), op(2, { bandwidth: 2e12, flops: 1e9 }))).toBe("same");
  expect(compare([op(1, { bandwidth: 1, flops: 1 })], [op(2, { bandwidth: 1, flops: 1 })])[0]).toMatchObject({
    compared: { what: "speed", before: { median: 1000 }, now: { median: 500, low: 1000 / 2.02, high: 1000 / 1.98 } },
  });
});

test("what fails now and did not, and the other way round", () => {
  expect(verdict(measured(), failure())).toBe("fails now");
  expect(verdict(failure(), measured())).toBe("works now");
  expect(verdict(failure(), failure())).toBe("same");
});

test("only what is the same is compared, with its last line", () => {
  const other = { ...measured(), device: "another processor" };
  const first = measured({ over: spread(9) });
  const changes = compare([first, measured({ over: spread(4) }), other], [measured({ over: spread(4) })]);
  expect(changes.map(({ verdict: found }) => found)).toEqual(["same"]);
  expect(compare([other, failure("dense")], [measured()])).toEqual([]);
});
