import { beforeAll, describe, expect, test } from "vitest";
import { stepBytes } from "../src/index.ts";
import { type Learned, learn, type Training } from "./learn.ts";
import { buildProgram, type Mpi, mpirun } from "./mpirun.ts";

let program: string;
beforeAll(async () => {
  program = await buildProgram("training-program");
});

const usual: Training = { backend: "wasm", model: "dense", optimizer: "adamw", steps: 20, deterministic: false };
const exact: Training = { ...usual, deterministic: true };

/** What each of some trainings came to by so many ranks, and by this process. */
async function learnedBy(mpi: Mpi, ranks: number, trainings: readonly Training[]) {
  const { code, stdout, output } = await mpirun(mpi, ranks, [program, JSON.stringify(trainings)]);
  expect(code, output).toBe(0);
  const shared = JSON.parse(stdout) as { learned: Learned; stepBytes: number }[]; // as the program prints it
  const pairs: { what: string; shared: Learned; alone: Learned; bytes: number }[] = [];
  for (const [i, training] of trainings.entries()) {
    const { learned, stepBytes: bytes } = shared[i]!;
    pairs.push({ what: JSON.stringify(training), shared: learned, alone: await learn(training), bytes });
  }
  return pairs;
}

const farthest = (values: readonly number[], from: readonly number[]) =>
  Math.max(...values.map((value, i) => Math.abs(value / from[i]! - 1)));

describe.each<[Mpi, number, Training[]]>([
  [
    "mpi/openmpi",
    2,
    [
      usual,
      { ...usual, backend: "onnx" },
      ...(["sparse", "token-choice", "expert-choice"] as const).map((model) => ({
        ...usual,
        model,
      })),
    ],
  ],
  ["mpi/mpich", 4, [usual]],
])("%s: %d ranks", (mpi, ranks, trainings) => {
  test("learn what one process learns", { tags: mpi, timeout: 120_000 }, async () => {
    for (const { what, shared, alone, bytes } of await learnedBy(mpi, ranks, trainings)) {
      // What the formula says, and at most a block of filling for each rank and direction.
      expect(bytes).toBeGreaterThanOrEqual(stepBytes(alone.parameters, ranks));
      expect(bytes).toBeLessThan(stepBytes(alone.parameters, ranks) + 2 * 4 * 1024 * ranks);
      expect(shared.losses).toHaveLength(usual.steps);
      expect(farthest(shared.losses, alone.losses), what).toBeLessThan(1e-5);
      expect(farthest(shared.norms, alone.norms), what).toBeLessThan(1e-3);
      expect(farthest([shared.heldOut], [alone.heldOut]), what).toBeLessThan(1e-4);
    }
  });
});

describe.each<[Mpi, number, Training[]]>([
  [
    "mpi/openmpi",
    4,
    [
      { ...exact, backend: "onnx" },
      { ...exact, model: "token-choice" },
    ],
  ],
  ["mpi/mpich", 3, [{ ...exact, optimizer: "adafactor" }]],
])("%s: %d ranks that sum in a fixed order", (mpi, ranks, trainings) => {
  test("learn the same, to the last bit", { tags: mpi, timeout: 120_000 }, async () => {
    for (const { what, shared, alone } of await learnedBy(mpi, ranks, trainings))
      expect({ ...shared, held: alone.held }, what).toEqual(alone);
  });
});

test("of 4 ranks, each keeps at most 0.3 of the optimizer's state that one process keeps", {
  tags: "mpi/openmpi",
  timeout: 120_000,
}, async () => {
  const once: Training = { ...usual, model: "wider", steps: 1 };
  for (const { what, shared, alone } of await learnedBy("mpi/openmpi", 4, [once, { ...once, backend: "onnx" }])) {
    expect(alone.held.slots, what).toBe(2 * alone.parameters);
    expect(shared.held.slots / alone.held.slots, what).toBeLessThan(0.3);
    expect(shared.held.slots / alone.held.slots, what).toBeGreaterThanOrEqual(0.25);
  }
});

const experts: Training = { ...usual, model: "token-choice", expertParallel: true };
describe.each<[Mpi, number, Training[]]>([
  ["mpi/openmpi", 2, [experts, { ...experts, backend: "onnx", model: "expert-choice" }]],
  [
    "mpi/mpich",
    4,
    [
      { ...experts, model: "mixture-of-tokens" },
      { ...experts, deterministic: true },
      { ...experts, model: "expert-choice", deterministic: true },
    ],
  ],
])("%s: %d ranks that share experts out", (mpi, ranks, trainings) => {
  test("learn what one process learns, and have their part of the experts", {
    tags: mpi,
    timeout: 120_000,
  }, async () => {
    for (const [i, { what, shared, alone }] of (await learnedBy(mpi, ranks, trainings)).entries()) {
      expect(shared.held.experts, what).toBe(alone.held.experts / ranks);
      expect(farthest(shared.losses, alone.losses), what).toBeLessThan(1e-5);
      expect(farthest(shared.norms, alone.norms), what).toBeLessThan(1e-3);
      expect(farthest([shared.heldOut], [alone.heldOut]), what).toBeLessThan(1e-4);
      if (trainings[i]!.deterministic) expect({ ...shared, held: alone.held }, what).toEqual(alone);
    }
  });
});

test("ranks that are given different options refuse to begin, in one sentence", { tags: "mpi/mpich" }, async () => {
  const apart = [{ ...experts, lastRank: { expertParallel: false } }];
  const { code, output } = await mpirun("mpi/mpich", 3, [program, JSON.stringify(apart)]);
  expect(code).not.toBe(0);
  expect(output).toMatch(/Error: rank 2 has another expertParallel than rank 0: false, not true$/m);
});
