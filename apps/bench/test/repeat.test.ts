import { add, createBackend, type Driver, graph, type HostTensor, hostTensor, input } from "@finegrain/graph";
import { expect, test } from "vitest";
import { repeat } from "../src/measure/repeat.ts";

const MILLISECONDS = 4;

/** A device that holds its thread while it runs, and counts the runs. */
function slowDevice() {
  let runs = 0;
  const driver: Driver<HostTensor> = {
    name: "slow",
    device: { kind: "reference", description: "slow", provider: "slow" },
    unsupported: new Set(),
    upload: (value) => value,
    read: async (value) => value,
    free() {},
    compile: async () => ({
      *run(inputs) {
        for (const end = performance.now() + MILLISECONDS; performance.now() < end; );
        yield;
        runs++;
        return inputs.slice(0, 1);
      },
      [Symbol.dispose]() {},
    }),
    async [Symbol.asyncDispose]() {},
  };
  return { backend: createBackend(driver), runs: () => runs };
}

test("a program is run as often as is said, however long its runs hold the thread", async () => {
  const { backend, runs } = slowDevice();
  const x = input([4]);
  const executable = await backend.compile(graph({ name: "twice", inputs: [x], outputs: [add(x, x)] }));
  const operands = [backend.upload(hostTensor("float32", [4], [1, 2, 3, 4]))];
  const seconds = await repeat(executable, operands, {
    times: 20,
    finish: async ([result]) => void (await result!.read()),
  });
  expect(runs()).toBe(20);
  expect(seconds).toBeGreaterThan(MILLISECONDS / 1000);
});
