/// <reference lib="dom" />
import { type Backend, createBackend, referenceDriver } from "@finegrain/graph";
import { expect, test } from "vitest";
import { everyNth } from "../src/every-nth.ts";
import { runCase } from "../src/golden/runner.ts";
import { openHost } from "../src/host.ts";

test("threads share memory, and come from TypeScript", async () => {
  expect(crossOriginIsolated).toBe(true);
  const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const shared = new Int32Array(buffer);
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  worker.postMessage(shared);
  await expect.poll(() => Atomics.load(shared, 0), { timeout: 10_000 }).toBe(42);
  worker.terminate();
});

test.each([false, true])("memory of WebAssembly counts, shared: %s", async (shared) => {
  const host = await openHost();
  const before = await host.usedBytes();
  const pages = 4096; // 256 MiB
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared });
  new Uint8Array(memory.buffer).fill(1);
  expect(((await host.usedBytes()) - before) / 2 ** 20, "MiB of growth").toBeGreaterThan(128);
  expect(memory.buffer.byteLength).toBe(2 ** 28);
});

/** The reference with 1 added to every result. */
function wrongBackend(): Backend {
  const driver = referenceDriver();
  return createBackend({
    ...driver,
    async read(held, type) {
      const value = await driver.read(held, type);
      return { ...value, data: value.data.map((x: number) => x + 1) };
    },
  });
}

test("no golden case passes on a wrong backend", async () => {
  const files = everyNth((await openHost()).goldenCases(), 6);
  const statuses = await Promise.all(files.map(async (file) => (await runCase(wrongBackend(), file)).status));
  expect(statuses).toContain("FAIL");
  expect(statuses).not.toContain("ok");
});
