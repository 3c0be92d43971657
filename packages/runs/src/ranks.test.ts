import { alone, type Communicator, type Numbers } from "@finegrain/distributed";
import { FinegrainError } from "@finegrain/graph";
import { expect, test } from "vitest";
import { corpusOfRanks } from "./ranks.ts";

/** Two ranks, the second of which is told what the first has sent. */
function twoRanks() {
  const sent: Numbers[] = [];
  const first: Communicator = { ...alone(), size: 2, broadcast: (values) => void sent.push(values.slice()) };
  const second: Communicator = { ...alone(), size: 2, rank: 1, broadcast: (values) => values.set(sent.shift()!) };
  return { first, second, sent };
}

test("rank 0 makes tokens for all", async () => {
  const { first, second, sent } = twoRanks();
  const corpus = {
    ...{ train: Int32Array.of(3, 1, 4, 1), heldOut: Int32Array.of(5), trainBytes: 9, heldOutBytes: 2 },
    ...{ special: { end: 6, sentinel: 7, sentinels: 2 }, isPairs: true },
  };
  expect(await corpusOfRanks(first, async () => corpus)).toEqual(corpus);
  expect(await corpusOfRanks(second, () => Promise.reject(new Error("rank 1 made them, too")))).toEqual(corpus);
  expect(sent).toEqual([]);
});

test("where rank 0 cannot make them, all say why", async () => {
  const { first, second, sent } = twoRanks();
  const failing = () => Promise.reject(new FinegrainError("the tokenizer loses the text"));
  await expect(corpusOfRanks(first, failing)).rejects.toThrow("the tokenizer loses the text");
  await expect(corpusOfRanks(second, failing)).rejects.toThrow("the tokenizer loses the text");
  expect(sent).toEqual([]);
});
