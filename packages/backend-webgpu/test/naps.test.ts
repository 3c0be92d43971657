import { randomValue } from "@finegrain/backend-testkit";
import { einsum, graph, input } from "@finegrain/graph";
import { expect, test } from "vitest";
import { webgpuBackend } from "../src/index.ts";

/** Turns that the event loop does until something is settled, for every millisecond that it takes. */
async function turnsUntil(settled: Promise<unknown>): Promise<{ turns: number; milliseconds: number }> {
  let [turns, open] = [0, true];
  const turn = () => {
    turns++;
    if (open) setImmediate(turn);
  };
  setImmediate(turn);
  const started = performance.now();
  await settled;
  open = false;
  return { turns, milliseconds: performance.now() - started };
}

test("a thread that waits for a device on its own CPU sleeps most of the time", async () => {
  await using backend = await webgpuBackend({ software: true });
  const [x, y] = [input([512, 1024]), input([1024, 1024])];
  using product = await backend.compile(
    graph({ name: "product", inputs: [x, y], outputs: [einsum(x, y, "M K, K N -> M N")] }),
  );
  const given = [x, y].map((type, i) => backend.upload(randomValue(type, i + 1)));
  const [out] = product.run(given);
  const { turns, milliseconds } = await turnsUntil(out!.read());
  expect(milliseconds).toBeGreaterThan(20);
  expect(turns / milliseconds).toBeLessThan(3);
  const idle = await turnsUntil(new Promise((resolve) => setTimeout(resolve, 50)));
  expect(idle.turns / idle.milliseconds).toBeGreaterThan(20);
});
