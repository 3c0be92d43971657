import { type Backend, referenceBackend } from "@finegrain/graph";
import { expect, test } from "vitest";
import { expectRoom, watchMemory } from "../src/measure/memory.ts";

test("the peak is that of the time watched, and outlives what made it", () => {
  const before = watchMemory(referenceBackend());
  const held = new Uint8Array(2e8).fill(1);
  before.look();
  expect(before.peak().peakMemoryBytes).toBeGreaterThan(2e8);
  expect(before.peak().deviceMemoryBytes).toBeNull();
  expect(held.length).toBe(2e8);
});

test("of a device, the most that was seen", () => {
  let inUse = 7;
  const watch = watchMemory({ memoryInUse: () => inUse });
  watch.look();
  inUse = 3;
  expect(watch.peak().deviceMemoryBytes).toBe(7);
});

const matrix = { dtype: "float32", shape: [1000, 1_000_000] } as const; // 4 GB

test("refuses what does not fit, with the numbers", () => {
  expect(() => expectRoom(referenceBackend(), [matrix, matrix], () => 10e9)).toThrow(
    "does not fit: 12.0 GB of memory are needed, and 10.0 GB are free",
  );
  expect(() => expectRoom(referenceBackend(), [matrix, matrix], () => 13e9)).not.toThrow();
});

test("looks again once the garbage is collected", () => {
  const free = [1e9, 13e9];
  expect(() => expectRoom(referenceBackend(), [matrix, matrix], () => free.shift()!)).not.toThrow();
  expect(free).toEqual([]);
});

test("a device of its own needs no room for the copy, and one that does not tell is not refused", () => {
  const device = { kind: "cuda", description: "a card", provider: "none" };
  const card: Backend = { ...referenceBackend(), device: { ...device, memory: 10e9 } };
  expect(() => expectRoom(card, [matrix, matrix])).not.toThrow();
  expect(() => expectRoom(card, [matrix, matrix, matrix])).toThrow(
    /12\.0 GB of memory are needed, and 10\.0 GB are free/,
  );
  expect(() => expectRoom({ ...card, device }, [matrix, matrix, matrix])).not.toThrow();
});
