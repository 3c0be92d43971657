// @module-tag webgpu/software
import { randomValue } from "@finegrain/backend-testkit";
import { einsum, graph, input } from "@finegrain/graph";
import { expect, test } from "vitest";
import { webgpuBackend } from "../src/index.ts";

/** Turns that the event loop does until something is settled, the longest of them, and how long all take, in milliseconds. */
async function turnsUntil(
  settled: Promise<unknown>,
): Promise<{ turns: number; longest: number; milliseconds: number }> {
  const started = performance.now();
  let [turns, longest, last, open] = [0, 0, started, true];
  const turn = () => {
    const now = performance.now();
    turns++;
    longest = Math.max(longest, now - last);
    last = now;
    if (open) setImmediate(turn);
  };
  setImmediate(turn);
  await settled;
  open = false;
  return { turns, longest, milliseconds: performance.now() - started };
}

// SwiftShader takes 20 s of a CPU for it, lavapipe a second.
const timeout = 120_000;
test("a thread that waits for a device on its own CPU sleeps mostly, and never long", { timeout }, async () => {
  await using backend = await webgpuBackend({ software: true });
  const [x, y] = [input([512, 1024]), input([1024, 1024])];
  using product = await backend.compile(
    graph({ name: "product", inputs: [x, y], outputs: [einsum(x, y, "M K, K N -> M N")] }),
  );
  const given = [x, y].map((type, i) => backend.upload(randomValue(type, i + 1)));
  const runs = Array.from({ length: 30 }, () => product.run(given)[0]!);
  const { turns, longest, milliseconds } = await turnsUntil(runs.at(-1)!.read());
  expect(milliseconds).toBeGreaterThan(500);
  expect(turns / milliseconds).toBeLessThan(1);
  expect(longest).toBeLessThan(milliseconds / 25);
  const idle = await turnsUntil(new Promise((resolve) => setTimeout(resolve, 50)));
  expect(idle.turns / idle.milliseconds).toBeGreaterThan(20);
});
