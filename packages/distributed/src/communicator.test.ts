import { expect, test } from "vitest";
import { anyOf, expectAlike, firstRankFirst, valueOfRank } from "./agreement.ts";
import { alone } from "./communicator.ts";

test("a process alone has what it sent", async () => {
  const world = alone();
  const [sent, received] = [Float32Array.of(1, 2, 3), new Float32Array(3)];
  for (const send of [world.allGather, world.reduceScatter, world.allToAll]) {
    received.fill(0);
    send(sent, received);
    expect(received).toEqual(sent);
  }
  world.allReduce(received);
  world.broadcast(received, 0);
  await world.barrier();
  expect(received).toEqual(sent);
  expect(() => world.allGather(sent, new Float32Array(2))).toThrow("1 ranks with 3 numbers each are 3, not 2");
});

test("a process alone agrees with itself", async () => {
  const world = alone();
  expect(valueOfRank(world, { a: 1 })).toEqual({ a: 1 });
  expect([anyOf(world, true), anyOf(world, false)]).toEqual([true, false]);
  expectAlike(world, { version: "1" });
  expect(await firstRankFirst(world, async () => 5)).toBe(5);
});
