import {
  type Buffer,
  graph,
  hostTensor,
  input,
  mul,
  referenceBackend,
  type Tensor,
  updateSlice,
} from "@finegrain/graph";
import { afterAll, describe, expect, test } from "vitest";
import { onnxBackend } from "../src/index.ts";
import type { Numbers } from "../src/program.ts";

const backend = await onnxBackend({ threads: 1 });
afterAll(() => backend[Symbol.asyncDispose]());

const floats = (shape: number[], data: ArrayLike<number>) => backend.upload(hostTensor("float32", shape, data));
/** The array behind a buffer, which every one of this backend is. */
const arrayOf = (buffer: Buffer) => (buffer as Buffer & { cell(): { value?: Numbers } }).cell().value;
const at = (position: number) => backend.upload(hostTensor("int32", [], [position]));
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);

/** A cache [batch, heads, capacity, width] to which a run appends `time` rows, twice the rows given. */
function appending(batch: number, time: number) {
  const cache = input([batch, 2, 6, 3], "float32", "cache");
  const rows = input([batch, 2, time, 3], "float32", "rows");
  const position = input([], "int32", "position");
  const next = updateSlice(cache, mul(rows, 2), position, { axis: 2 });
  return graph({ name: "append", inputs: [cache, rows, position], outputs: [next, mul(rows, 2)] });
}

const doubled = (x: Tensor) => mul(x, 2);

describe("a donated input", () => {
  test("is written in place, run after run", async () => {
    using append = await backend.compile(appending(2, 1), { donate: ["0"] });
    const first = floats([2, 2, 6, 3], new Array(72).fill(-1));
    const array = arrayOf(first);
    let [cache, rows]: [Buffer, Buffer] = [first, first];
    const expected = new Float32Array(72).fill(-1);
    for (const position of upTo(6)) {
      const values = upTo(12).map((i) => 100 * position + i);
      [cache, rows] = append.run([cache, floats([2, 2, 1, 3], values), at(position)]) as [Buffer, Buffer];
      for (const lane of upTo(4))
        for (const i of upTo(3)) expected[lane * 18 + position * 3 + i] = 2 * values[lane * 3 + i]!;
    }
    expect((await cache.read()).data).toEqual(expected);
    expect(arrayOf(cache)).toBe(array);
    expect((await rows.read()).data[0]).toBe(1000);
  });

  test("takes several rows at once, along an inner axis", async () => {
    using append = await backend.compile(appending(2, 4), { donate: ["0"] });
    const [cache] = append.run([floats([2, 2, 6, 3], new Array(72).fill(7)), floats([2, 2, 4, 3], upTo(48)), at(2)]);
    const expected = new Float32Array(72).fill(7);
    for (const lane of upTo(4)) for (const i of upTo(12)) expected[lane * 18 + 6 + i] = 2 * (lane * 12 + i);
    expect((await cache!.read()).data).toEqual(expected);
  });

  test("is refused afterwards", async () => {
    using append = await backend.compile(appending(1, 1), { donate: ["0"] });
    const cache = floats([1, 2, 6, 3], upTo(36));
    append.run([cache, floats([1, 2, 1, 3], upTo(6)), at(0)]);
    const message = 'a buffer of float32[1,2,6,3] was used after it was donated to a run of "append"';
    await expect(cache.read()).rejects.toThrow(message);
    expect(() => append.run([cache, floats([1, 2, 1, 3], upTo(6)), at(1)])).toThrow(message);
  });

  test("may be overwritten by an output that is computed whole", async () => {
    const x = input([2], "float32", "x");
    using twice = await backend.compile(graph({ name: "twice", inputs: [x], outputs: [doubled(x)] }), {
      donate: ["0"],
    });
    const before = floats([2], [1, 2]);
    const [after] = twice.run([before]);
    expect((await after!.read()).data).toEqual(Float32Array.of(2, 4));
    await expect(before.read()).rejects.toThrow('donated to a run of "twice"');
  });

  test("is donated once", async () => {
    const { name, inputs, outputs } = appending(1, 1);
    const twice = graph({ name, inputs, outputs: [outputs[0]!, outputs[0]!] });
    const donate = ["0", "1"].map((output) => ["0", output] as const);
    await expect(backend.compile(twice, { donate })).rejects.toThrow(
      'graph "append" donates an input to more than one output',
    );
  });

  test("cannot be two inputs at once", async () => {
    const [x, y] = [input([3], "float32", "x"), input([3], "float32", "y")];
    const [row, start] = [input([1], "float32", "row"), input([], "int32", "start")];
    const outputs = [updateSlice(x, row, start, { axis: 0 }), updateSlice(y, doubled(row), start, { axis: 0 })];
    using both = await backend.compile(graph({ name: "both", inputs: [x, y, row, start], outputs }), {
      donate: ["0", "1"],
    });
    const cache = floats([3], [1, 2, 3]);
    expect(() => both.run([cache, cache, floats([1], [9]), at(0)])).toThrow("was given a buffer twice");
    expect((await cache.read()).data).toEqual(Float32Array.of(1, 2, 3));
  });
});

describe("what is not donated", () => {
  test("stays as it was", async () => {
    using append = await backend.compile(appending(1, 1));
    const cache = floats([1, 2, 6, 3], upTo(36));
    const [next] = append.run([cache, floats([1, 2, 1, 3], upTo(6)), at(5)]);
    expect((await next!.read()).data.slice(15, 18)).toEqual(Float32Array.of(0, 2, 4));
    expect((await cache.read()).data).toEqual(Float32Array.from(upTo(36)));
  });

  test("is copied where it is an output as it is", async () => {
    const x = input([2], "float32", "x");
    using same = await backend.compile(graph({ name: "same", inputs: [x], outputs: [x, doubled(x)] }));
    const given = floats([2], [1, 2]);
    const [out] = same.run([given]);
    given[Symbol.dispose]();
    expect((await out!.read()).data).toEqual(Float32Array.of(1, 2));
  });

  test("leaves two buffers for two outputs of one value", async () => {
    const x = input([2], "float32", "x");
    const y = doubled(x);
    using pair = await backend.compile(graph({ name: "pair", inputs: [x], outputs: [y, y] }));
    const [a, b] = pair.run([floats([2], [1, 2])]) as [Buffer, Buffer];
    expect(await a.read()).toEqual(await b.read());
    expect(arrayOf(a)).not.toBe(arrayOf(b));
    a[Symbol.dispose]();
    expect((await b.read()).data).toEqual(Float32Array.of(2, 4));
  });

  test("does not share what it was uploaded from, or read into", async () => {
    const data = Float32Array.of(1, 2);
    const buffer = floats([2], data);
    data[0] = 9;
    (await buffer.read()).data[1] = 9;
    expect((await buffer.read()).data).toEqual(Float32Array.of(1, 2));
  });
});

describe("a run refuses", () => {
  const x = input([2], "float32", "x");
  const twice = graph({ name: "twice", inputs: [x], outputs: [doubled(x)] });

  test("a buffer that was disposed", async () => {
    using run = await backend.compile(twice);
    const buffer = floats([2], [1, 2]);
    buffer[Symbol.dispose]();
    expect(() => run.run([buffer])).toThrow("a buffer of float32[2] was used after it was disposed");
  });

  test("once its executable was disposed, but not the runs before", async () => {
    const run = await backend.compile(twice);
    const [before] = run.run([floats([2], [1, 2])]);
    run[Symbol.dispose]();
    run[Symbol.dispose]();
    expect(() => run.run([floats([2], [1, 2])])).toThrow('graph "twice" was run after its executable was disposed');
    expect((await before!.read()).data).toEqual(Float32Array.of(2, 4));
  });

  test("a buffer of another backend", async () => {
    using run = await backend.compile(twice);
    await using second = await onnxBackend({ threads: 1 });
    for (const other of [referenceBackend(), second]) {
      const buffer = other.upload(hostTensor("float32", [2], [1, 2]));
      expect(() => run.run([buffer])).toThrow('graph "twice" was given a buffer of another backend');
    }
  });
});
