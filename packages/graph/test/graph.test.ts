import { expect, test } from "vitest";
import {
  add,
  bytesRead,
  concat,
  cost,
  dynamicSlice,
  einsum,
  equal,
  evaluate,
  gather,
  graph,
  hostTensor,
  input,
  iota,
  mul,
  philox,
  referenceBackend,
  reshape,
  scalar,
  select,
  type Tensor,
  uniformFromBits,
  updateSlice,
} from "../src/index.ts";

test("a number stands for a scalar of the last tensor operand's dtype", () => {
  expect(mul(iota({ shape: [3], axis: 0 }), 2).dtype).toBe("int32");
  expect(select(equal(input([2], "int32"), 1), 0, input([2])).dtype).toBe("float32");
});

test("what does not fit is refused where it is written, with the op, the shapes and the names", () => {
  expect(() => add(input([2]), input([3]))).toThrow("add: cannot broadcast [2] with [3]");
  expect(() => add(input([2]), input([2], "int32"))).toThrow(
    "add of float32[2] and int32[2]: both must have one dtype",
  );
  expect(() => einsum(input([2, 3]), input([4, 5]), "B D, D F -> B F")).toThrow(
    'einsum "B D, D F -> B F": axis D is both 3 and 4',
  );
  expect(() => einsum(input([2]), input([2]), "B B, B -> B")).toThrow("repeats an axis");
  expect(() => reshape(input([2, 3]), [4])).toThrow("reshape: [2,3] does not have the elements of [4]");
  expect(() => concat(input([2, 3]), input([2, 4]), { axis: 0 })).toThrow("does not fit");
  expect(() => hostTensor("float32", [2], [1])).toThrow("a value of float32[2] needs 2 numbers, not 1");
});

test("a graph is closed, and its run takes what it says", () => {
  const x = input([2], "float32", "x");
  expect(() => graph({ name: "g", inputs: [], outputs: [add(x, 1)] })).toThrow(
    'graph "g" reads x of float32[2], which is not among its inputs',
  );
  expect(() => graph({ name: "g", inputs: [x, x], outputs: [x] })).toThrow("lists an input twice");
  const g = graph({ name: "g", inputs: [x], outputs: [add(x, 1)] });
  expect(() => evaluate(g, [])).toThrow('graph "g" takes 1 inputs, not 0');
  expect(() => evaluate(g, [hostTensor("float32", [3], [1, 2, 3])])).toThrow(
    'input 0 of graph "g" is float32[3], expected float32[2]',
  );
});

test("a deep graph needs no deep call stack", () => {
  const x = input([]);
  let y = x;
  for (let i = 0; i < 20_000; i++) y = add(y, 1);
  expect(evaluate(graph({ inputs: [x], outputs: [y] }), [hostTensor("float32", [], [0])])[0]!.data[0]).toBe(20_000);
});

test("cost counts a product's multiply-adds, bytesRead the rows that are taken", () => {
  const [x, w] = [input([8, 32]), input([32, 64])];
  expect(cost(graph({ inputs: [x, w], outputs: [einsum(x, w, "B D, D F -> B F")] })).flops).toBe(2 * 8 * 32 * 64);
  const [table, rows, at] = [input([1000, 16]), input([4], "int32"), input([], "int32")];
  const read = (...outputs: Tensor[]) => bytesRead(graph({ inputs: [table, rows, at], outputs }));
  expect(read(gather(table, rows))).toBe(4 * 16 * 4 + 4 * 4);
  expect(read(gather(reshape(table, [2000, 8]), rows))).toBe(4 * 8 * 4 + 4 * 4);
  expect(read(dynamicSlice(table, at, { axis: 0, length: 2 }))).toBe(2 * 16 * 4 + 4);
  expect(read(gather(table, rows), mul(table, 2))).toBe(1000 * 16 * 4 + 4 * 4);
  expect(read(updateSlice(table, gather(table, rows), at, { axis: 0 }))).toBe(1000 * 16 * 4 + 4 * 4 + 4);
});

test("Philox 4x32-10 draws the known answer of Random123 for key 0, counter 0", () => {
  expect([...philox([0, 0], [0, 0], 4)].map((word) => (word >>> 0).toString(16))).toEqual([
    "6627e8d5",
    "e169c58d",
    "bc57ac4c",
    "9b00dbd8",
  ]);
});

test("Philox agrees with 64-bit arithmetic on any key and counter", () => {
  const mask = 0xffffffffn;
  const block = (counter: bigint[], key: bigint[]): bigint[] => {
    let [c0, c1, c2, c3] = counter as [bigint, bigint, bigint, bigint];
    let [k0, k1] = key as [bigint, bigint];
    for (let round = 0; round < 10; round++) {
      const [p0, p1] = [0xd2511f53n * c0, 0xcd9e8d57n * c2];
      [c0, c1, c2, c3] = [(p1 >> 32n) ^ c1 ^ k0, p1 & mask, (p0 >> 32n) ^ c3 ^ k1, p0 & mask];
      [k0, k1] = [(k0 + 0x9e3779b9n) & mask, (k1 + 0xbb67ae85n) & mask];
    }
    return [c0, c1, c2, c3];
  };
  const [key, counter] = [
    [0xa4093822, 0x299f31d0],
    [0xfedcba98, 7],
  ];
  const expected = [0n, 1n, 2n].flatMap((k) =>
    block([k, BigInt(counter[0]!), BigInt(counter[1]!), 0n], key.map(BigInt)),
  );
  expect([...philox(key, counter, 11)].map((word) => BigInt(word >>> 0))).toEqual(expected.slice(0, 11));
});

test("a uniform number is in the open interval in float32 too", () => {
  const [low, high] = [uniformFromBits(0), uniformFromBits(-1)];
  expect([low, high].map(Math.fround)).toEqual([low, high]);
  expect(low).toBeGreaterThan(0);
  expect(high).toBeLessThan(1);
});

test("the reference is a backend: it keeps what it was given and returns what it computed", async () => {
  const x = input([2]);
  const backend = referenceBackend();
  const data = Float32Array.of(1, 2);
  const buffer = backend.upload({ dtype: "float32", shape: [2], data });
  data.fill(9);
  const executable = await backend.compile(graph({ inputs: [x], outputs: [add(x, scalar(1))] }));
  expect([...(await executable.run([buffer])[0]!.read()).data]).toEqual([2, 3]);
});
