import {
  add,
  type Backend,
  type Buffer,
  einsum,
  gather,
  graph,
  hostTensor,
  input,
  mul,
  referenceBackend,
  reshape,
  updateSlice,
} from "@finegrain/graph";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tfjsBackend } from "../src/index.ts";
import { engines } from "./engines.ts";

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);

/** A cache [batch, heads, capacity, width] to which a run appends `time` rows, twice the rows given. */
function appending(batch: number, time: number) {
  const cache = input([batch, 2, 6, 3], "float32", "cache");
  const rows = input([batch, 2, time, 3], "float32", "rows");
  const position = input([], "int32", "position");
  const next = updateSlice(cache, mul(rows, 2), position, { axis: 2 });
  return graph({ name: "append", inputs: [cache, rows, position], outputs: [next, mul(next, 2)] });
}

describe.each(engines)("on %s", (device) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await tfjsBackend({ device });
  });
  afterAll(() => backend[Symbol.asyncDispose]());
  const floats = (shape: number[], data: ArrayLike<number>) => backend.upload(hostTensor("float32", shape, data));
  const at = (position: number) => backend.upload(hostTensor("int32", [], [position]));

  test("a donated cache is appended to run after run, several rows at once too", async () => {
    for (const time of [1, 2]) {
      using append = await backend.compile(appending(2, time), { donate: ["0"] });
      let [cache, twice]: [Buffer, Buffer] = [floats([2, 2, 6, 3], new Array(72).fill(-1)), at(0)];
      const expected = new Float32Array(72).fill(-1);
      for (let position = 0; position < 6; position += time) {
        const values = upTo(12 * time).map((i) => 100 * position + i);
        [cache, twice] = append.run([cache, floats([2, 2, time, 3], values), at(position)]) as [Buffer, Buffer];
        for (const lane of upTo(4))
          for (const i of upTo(3 * time)) expected[lane * 18 + position * 3 + i] = 2 * values[lane * 3 * time + i]!;
      }
      expect((await cache.read()).data).toEqual(expected);
      expect((await twice.read()).data).toEqual(expected.map((x) => 2 * x));
    }
  });

  test("what else was given the numbers of a cache does not see it change", async () => {
    const x = input([6, 3], "float32", "x");
    using show = await backend.compile(graph({ inputs: [x], outputs: [x, reshape(x, [18])] }));
    const [cache, rows, position] = [input([6, 3]), input([1, 3]), input([], "int32")];
    const next = updateSlice(cache, rows, position, { axis: 0 });
    using append = await backend.compile(graph({ inputs: [cache, rows, position], outputs: [next] }), {
      donate: ["0"],
    });
    let current = floats([6, 3], upTo(18));
    for (const step of [1, 2]) {
      const before = (await current.read()).data;
      const [same, flat] = show.run([current]) as [Buffer, Buffer];
      [current] = append.run([current, floats([1, 3], [7, 8, 9]), at(step)]) as [Buffer];
      expect((await same.read()).data).toEqual(before);
      expect((await flat.read()).data).toEqual(before);
      expect((await current.read()).data.slice(3 * step, 3 * step + 3)).toEqual(Float32Array.of(7, 8, 9));
    }
  });

  test("an output that shows the appended cache under another shape is its own", async () => {
    const [cache, rows, position] = [input([6, 3]), input([1, 3]), input([], "int32")];
    const next = updateSlice(cache, rows, position, { axis: 0 });
    using append = await backend.compile(
      graph({ inputs: [cache, rows, position], outputs: [next, reshape(next, [18])] }),
      {
        donate: ["0"],
      },
    );
    const [once, flat] = append.run([floats([6, 3], upTo(18)), floats([1, 3], [7, 7, 7]), at(0)]) as [Buffer, Buffer];
    append.run([once, floats([1, 3], [9, 9, 9]), at(0)]);
    expect([...(await flat.read()).data.slice(0, 4)]).toEqual([7, 7, 7, 3]);
  });

  test("a product reads an appended cache as it is now, run after run", async () => {
    const [cache, rows, position, x] = [input([3, 2]), input([1, 2]), input([], "int32"), input([1, 3])];
    const next = updateSlice(cache, rows, position, { axis: 0 });
    const outputs = [next, einsum(x, next, "B S, S D -> B D"), einsum(x, reshape(next, [3, 2]), "B S, S D -> B D")];
    using attend = await backend.compile(graph({ inputs: [cache, rows, position, x], outputs }), { donate: ["0"] });
    let current: Buffer = floats([3, 2], new Array(6).fill(0));
    for (const step of upTo(3)) {
      const given = [floats([1, 2], [step + 1, 10 * (step + 1)]), at(step), floats([1, 3], [1, 1, 1])];
      const [appended, ...sums] = attend.run([current, ...given]) as [Buffer, Buffer, Buffer];
      const sum = ((step + 1) * (step + 2)) / 2;
      for (const found of sums) expect((await found.read()).data).toEqual(Float32Array.of(sum, 10 * sum));
      current = appended;
    }
  });

  test("what is not donated stays, and outputs of one value are two buffers", async () => {
    const x = input([2], "float32", "x");
    const y = mul(x, 2);
    using run = await backend.compile(graph({ inputs: [x], outputs: [x, y, y] }));
    const given = floats([2], [1, 2]);
    const [same, a, b] = run.run([given]) as [Buffer, Buffer, Buffer];
    given[Symbol.dispose]();
    a[Symbol.dispose]();
    expect((await same.read()).data).toEqual(Float32Array.of(1, 2));
    expect((await b.read()).data).toEqual(Float32Array.of(2, 4));
  });

  test("a buffer does not share what it was uploaded from, or read into", async () => {
    const data = Float32Array.of(1, 2);
    const buffer = floats([2], data);
    data[0] = 9;
    (await buffer.read()).data[1] = 9;
    expect((await buffer.read()).data).toEqual(Float32Array.of(1, 2));
  });

  test("buffers that are gone, twice there or another backend's are refused", async () => {
    const x = input([2], "float32", "x");
    using double = await backend.compile(graph({ name: "double", inputs: [x], outputs: [mul(x, 2)] }), {
      donate: ["0"],
    });
    const given = floats([2], [1, 2]);
    double.run([given]);
    await expect(async () => given.read()).rejects.toThrow(
      'float32[2] was used after it was donated to a run of "double"',
    );
    const disposed = floats([2], [1, 2]);
    disposed[Symbol.dispose]();
    expect(() => double.run([disposed])).toThrow("a buffer of float32[2] was used after it was disposed");
    const foreign = referenceBackend().upload(hostTensor("float32", [2], [1, 2]));
    expect(() => double.run([foreign])).toThrow('graph "double" was given a buffer of another backend');
    const y = input([2], "float32", "y");
    using sum = await backend.compile(graph({ name: "sum", inputs: [x, y], outputs: [add(x, y)] }), {
      donate: ["0"],
    });
    const once = floats([2], [3, 4]);
    expect(() => sum.run([once, once])).toThrow(
      'graph "sum" was given a buffer twice, as "0" and "1", and overwrites it',
    );
    expect((await once.read()).data).toEqual(Float32Array.of(3, 4));
    double[Symbol.dispose]();
    expect(() => double.run([once])).toThrow('graph "double" was run after its executable was disposed');
  });

  test("a run that fails names its graph", async () => {
    const [table, ids] = [input([4, 2], "float32", "table"), input([1], "int32", "ids")];
    using lookup = await backend.compile(
      graph({ name: "lookup", inputs: [table, ids], outputs: [gather(table, ids)] }),
    );
    const far = backend.upload(hostTensor("int32", [1], [99]));
    const [found] = lookup.run([floats([4, 2], upTo(8)), far]);
    await expect(found!.read()).rejects.toThrow(/^graph "lookup" failed on tfjs:\w+: .*99/);
  });
});
