import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openMetrics, readMetrics } from "./metrics.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "finegrain-metrics-"));
  path = join(folder, "metrics.jsonl");
});
afterEach(() => rm(folder, { recursive: true }));

async function log(steps: number[], options = {}) {
  const metrics = await openMetrics(path, options);
  for (const step of steps) metrics.append({ step, loss: step / 2 });
  await metrics.close();
}
const steps = async () => (await readMetrics(path)).map(({ step }) => step);

test("records are JSON lines in the order of their calls", async () => {
  await log([0, 1, 2]);
  expect(await readFile(path, "utf8")).toBe('{"step":0,"loss":0}\n{"step":1,"loss":0.5}\n{"step":2,"loss":1}\n');
  await log([3]);
  expect(await steps()).toEqual([0, 1, 2, 3]);
});

test("flush puts them on the disk before the file is closed", async () => {
  const metrics = await openMetrics(path);
  metrics.append({ step: 1, loss: Number.NaN });
  await metrics.flush();
  expect(await readMetrics(path)).toEqual([{ step: 1, loss: null }]);
  await metrics.close();
});

test("resuming drops what is to happen again and a line that was cut short", async () => {
  await log([0, 1, 2, 3]);
  await appendFile(path, '{"step":4,"lo');
  expect(await steps()).toEqual([0, 1, 2, 3]);
  await log([2], { resumeAt: 2 });
  expect(await steps()).toEqual([0, 1, 2]);
});

test("a broken line is named", async () => {
  await log([0]);
  await appendFile(path, "oops\n");
  await expect(readMetrics(path)).rejects.toThrow(`${path}:2 is not JSON: `);
  await expect(readMetrics(join(folder, "no"))).rejects.toThrow("cannot read the metrics");
});

test("writing to a closed file fails at the next flush", async () => {
  const metrics = await openMetrics(path);
  await metrics.close();
  metrics.append({ step: 1 });
  await expect(metrics.flush()).rejects.toThrow();
});
