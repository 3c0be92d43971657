import { strict as assert } from "node:assert";
import { expectAlike, firstRankFirst, valueOfRank, valuesOfRanks } from "../src/index.ts";
import { openMpi } from "../src/mpi/index.ts";

/*
 * What a rank does in mpi.test.ts, by its first argument.
 */
const [what = "", library] = process.argv.slice(2);
const world = await openMpi({ library });
const { rank, size } = world;

/** Numbers of a rank that its others can compute: small integers, whose sums are exact. */
const numbersOf = (of: number, length: number) => Float32Array.from({ length }, (_, i) => ((of + 1) * (i + 3)) % 17);
const ranks = Array.from({ length: size }, (_, of) => of);
const concat = (parts: Float32Array[]) => Float32Array.from(parts.flatMap((part) => [...part]));

async function collectives(): Promise<void> {
  assert.equal(world.local, size);
  for (const n of [0, 1, 5, 1000]) {
    const sums = ranks.map((of) => numbersOf(of, n * size)).reduce((a, b) => a.map((value, i) => value + b[i]!));
    const reduced = numbersOf(rank, n * size);
    world.allReduce(reduced);
    assert.deepEqual(reduced, sums);
    const scattered = new Float32Array(n);
    world.reduceScatter(numbersOf(rank, n * size), scattered);
    assert.deepEqual(scattered, sums.slice(rank * n, (rank + 1) * n));
    const all = new Float32Array(n * size);
    world.allGather(numbersOf(rank, n), all);
    assert.deepEqual(all, concat(ranks.map((of) => numbersOf(of, n))));
    const received = new Float32Array(n * size);
    world.allToAll(numbersOf(rank, n * size), received);
    assert.deepEqual(received, concat(ranks.map((of) => numbersOf(of, n * size).slice(rank * n, (rank + 1) * n))));
    const sent = numbersOf(rank, n);
    world.broadcast(sent, size - 1);
    assert.deepEqual(sent, numbersOf(size - 1, n));
  }
  for (const make of [Float64Array, Int32Array, Uint8Array]) {
    const [least, most] = [make.of(rank + 3), make.of(rank + 3)];
    world.allReduce(least, "min");
    world.allReduce(most, "max");
    assert.deepEqual([least[0], most[0]], [3, size + 2]);
  }
  const some = world.first(2);
  assert.equal(some === undefined, rank >= 2);
  if (some) {
    assert.deepEqual([some.rank, some.size, some.local], [rank, 2, 2]);
    const sum = Float32Array.of(rank + 1);
    some.allReduce(sum);
    assert.deepEqual(sum, Float32Array.of(3));
    await some[Symbol.asyncDispose]();
  }
  assert.throws(() => world.allGather(new Float32Array(2), new Float32Array(1)), /ranks with 2 numbers each/);
}

async function agreement(): Promise<void> {
  assert.deepEqual(valuesOfRanks(world, rank), ranks);
  assert.deepEqual(valueOfRank(world, { of: rank, text: "é".repeat(rank + 1) }), { of: 0, text: "é" });
  expectAlike(world, { version: "1", config: { same: true }, data: undefined });
  assert.throws(
    () => expectAlike(world, { version: "1", config: rank < 2 ? "same" : "other" }),
    /^FinegrainError: rank 2 has another config than rank 0: other, not same$/,
  );
  assert.throws(
    () => expectAlike(world, { clip: rank === 0 ? undefined : 1 }),
    /^FinegrainError: rank 1 has another clip than rank 0: 1, not none$/,
  );
  const order: number[] = [];
  const turn = await firstRankFirst(world, async () => {
    order.push(rank);
    return Date.now();
  });
  const first = valueOfRank(world, turn);
  assert.ok(turn >= first);
}

/** Whether waiting for a late rank leaves the processor alone. */
async function patience(): Promise<void> {
  if (rank === 0) await new Promise((resolve) => setTimeout(resolve, 600));
  const before = process.cpuUsage();
  await world.barrier();
  const { user, system } = process.cpuUsage(before);
  assert.ok(rank === 0 || user + system < 300_000, `a rank worked for ${user + system} µs while it waited`);
}

if (what === "all") {
  await collectives();
  await agreement();
  await patience();
  if (rank === 0) console.log(world.name);
  await world[Symbol.asyncDispose]();
} else if (what === "throw" && rank === 1) {
  throw new Error("rank 1 is broken");
} else if (what === "exit" && rank === 1) {
  process.exit(7);
} else {
  world.allReduce(new Float32Array(1)); // for which a rank that failed never comes
}
