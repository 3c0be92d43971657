import { expect, test } from "vitest";
import { interleave, LEAST_ROUNDS } from "../src/measure/method.ts";

const contestant = (name: string, log: string[], seconds = 1) => ({
  name,
  async round() {
    log.push(name);
    return seconds;
  },
});

test("every round runs each contestant once, beginning with another one", async () => {
  const log: string[] = [];
  const samples = await interleave([contestant("a", log), contestant("b", log, 2)], { rounds: 3, warmup: 0 });
  expect(log).toEqual(["a", "b", "b", "a", "a", "b"]);
  expect(samples.get("a")).toEqual({ seconds: [1, 1, 1] });
  expect(samples.get("b")).toEqual({ seconds: [2, 2, 2] });
});

test("warm-up ends once two rounds agree", async () => {
  const log: string[] = [];
  const times = [9, 5, 1, 1.01, 1];
  const warming = { name: "a", round: async () => times[log.push("a") - 1] ?? 1 };
  const samples = await interleave([warming], { rounds: 2, warmup: 10 });
  expect(log).toHaveLength(4 + 2);
  expect(samples.get("a")!.seconds).toEqual([1, 1]);
});

test("a contestant that fails leaves and the others go on", async () => {
  const log: string[] = [];
  const failing = {
    name: "bad",
    async round(): Promise<number> {
      throw new Error("out of memory\nat line 3");
    },
  };
  const samples = await interleave([failing, contestant("good", log)], { rounds: 2, warmup: 1 });
  expect(samples.get("bad")).toEqual({ seconds: [], error: "out of memory" });
  expect(samples.get("good")!.seconds).toHaveLength(2);
});

test("an abort keeps the rounds that were done", async () => {
  const controller = new AbortController();
  let calls = 0;
  const one = {
    name: "a",
    async round() {
      if (++calls === 2) controller.abort();
      return 1;
    },
  };
  const samples = await interleave([one], { rounds: 10, warmup: 0, signal: controller.signal });
  expect(samples.get("a")!.seconds).toHaveLength(2);
});

test("an abort inside a round drops that round and runs nothing more", async () => {
  const controller = new AbortController();
  const log: string[] = [];
  const stopping = {
    name: "b",
    async round() {
      if (log.push("b") === 5) controller.abort();
      return 1;
    },
  };
  const samples = await interleave([stopping, contestant("a", log)], {
    rounds: 10,
    warmup: 0,
    signal: controller.signal,
  });
  expect(log).toEqual(["b", "a", "a", "b", "b"]);
  expect([...samples.values()].map(({ seconds }) => seconds)).toEqual([
    [1, 1],
    [1, 1],
  ]);
});

test("late, no more than the least rounds are measured, after one of warm-up", async () => {
  const log: string[] = [];
  const samples = await interleave([contestant("a", log)], { rounds: 10, warmup: 10, until: 0 });
  expect(samples.get("a")!.seconds).toHaveLength(LEAST_ROUNDS);
  expect(log).toHaveLength(1 + LEAST_ROUNDS);
});
