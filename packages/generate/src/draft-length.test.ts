import { expect, test } from "vitest";
import { DraftLength } from "./draft-length.ts";

/** Lengths of the last rounds of many, where a token is drafted in so many seconds and checked in so many. */
function settled(draft: number, check: number, isRight: (token: number) => boolean): Map<number, number> {
  const choice = new DraftLength();
  const counts = new Map<number, number>();
  let token = 0;
  for (let round = 0; round < 400; round++) {
    const length = choice.next();
    let accepted = 0;
    while (accepted < length && isRight(token + accepted)) accepted++;
    token += accepted + 1;
    choice.push({ length, accepted, seconds: length * draft + check, room: "" });
    if (round >= 200) counts.set(length, (counts.get(length) ?? 0) + 1);
  }
  return counts;
}

/** As good as drawn. */
const hash = (n: number) => (Math.imul(n + 1, 0x9e3779b1) >>> 16) % 251;

const most = (counts: Map<number, number>) => [...counts].sort(([, a], [, b]) => b - a)[0]![0];

test("drafts are long where they are cheap and right, and short where the half of them is wrong", () => {
  expect(most(settled(0.1, 1, () => true))).toBe(7);
  expect(most(settled(0.2, 1, (token) => hash(token) % 2 === 0))).toBe(1);
});

test("without drafts where they cost more than they give, and none of them is right", () => {
  expect(most(settled(0.2, 1, () => false))).toBe(0);
  expect(most(settled(1.5, 1, (token) => hash(token) % 3 > 0))).toBe(0);
});

test("it looks again, and finds that a text has changed", () => {
  const choice = new DraftLength();
  const push = (accepted: (length: number) => number, rounds: number) => {
    const lengths: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const length = choice.next();
      lengths.push(length);
      choice.push({ length, accepted: accepted(length), seconds: 0.1 * length + 1, room: "" });
    }
    return lengths;
  };
  push(() => 0, 100);
  expect(push((length) => length, 200).slice(-20)).toContain(7);
});
