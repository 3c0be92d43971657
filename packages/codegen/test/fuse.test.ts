import {
  add,
  argMax,
  cachedAttention,
  cast,
  concat,
  constant,
  einsum,
  evaluate,
  exp,
  gather,
  graph,
  hostTensor,
  input,
  layerNorm,
  mul,
  pad,
  reduceSum,
  relu,
  reshape,
  size,
  slice,
  type Tensor,
  transpose,
  updateSlice,
} from "@finegrain/graph";
import { describe, expect, test } from "vitest";
import { asProduct, fuse, type LoopKernel, planMemory, readsOf, wantedColumns } from "../src/index.ts";
import { Machine } from "./machine.ts";

const kernelsOf = (outputs: Tensor[], inputs: Tensor[], donate: [number, number][] = []) =>
  fuse(graph({ name: "test", inputs, outputs }), donate).kernels;
const names = (...given: Parameters<typeof kernelsOf>) => kernelsOf(...given).map(({ name }) => name);
const loops = (...given: Parameters<typeof kernelsOf>) => kernelsOf(...given) as LoopKernel[]; // of graphs without the other kinds

const [x, y] = [input([4, 6], "float32", "x"), input([4, 6], "float32", "y")];

describe("fusion", () => {
  test("stores what a large product's epilogue would read in more loops than the product has", () => {
    const [batch, time, width] = [2, 16, 32];
    const h = input([batch, time, width], "float32", "h");
    const w = input([width, width], "float32", "w");
    const table = input([8, width], "float32", "table");
    // Rows of a matrix that is one wider: their numbers are no multiple of each other.
    const tokens = input([batch, time + 1], "int32", "tokens");
    const rows = gather(table, slice(tokens, { starts: [0, 0], ends: [batch, time] }));
    const kernels = loops([add(einsum(h, w, "B T I, I O -> B T O"), rows)], [h, w, table, tokens]);
    expect(kernels).toHaveLength(2);
    expect(kernels.find(({ reduction }) => reduction)!.extents).toEqual([batch * time, width]);
    const close = add(einsum(h, w, "B T I, I O -> B T O"), mul(h, h));
    expect(loops([close], [h, w])).toHaveLength(1);
  });

  test("writes a chain of element-wise ops as one kernel", () => {
    expect(names([relu(add(mul(x, y), x))], [x, y])).toEqual(["max"]);
  });

  test("makes views indices of the kernel that reads them", () => {
    const [kernel, ...others] = loops([add(transpose(x, [1, 0]), reshape(y, [6, 4]))], [x, y]);
    expect(others).toEqual([]);
    expect(kernel!.extents).toEqual([6, 4]);
    const loads = kernel!.result.kind === "call" ? kernel!.result.args : [];
    expect(loads.map((load) => load.kind === "load" && load.at.strides)).toEqual([
      [1, 6],
      [4, 1],
    ]);
  });

  test("walks neighbours as one loop, and cuts a loop where a reshape cuts it", () => {
    expect(loops([add(x, y)], [x, y])[0]!.extents).toEqual([24]);
    // The rows of the result are pairs of columns of x.
    const cut = reshape(slice(x, { starts: [0, 0], ends: [4, 4] }), [16]);
    expect(loops([exp(cut)], [x])[0]!.extents).toEqual([4, 4]);
  });

  test("stores what is padded behind its end where it is padded, and copies nothing", () => {
    const whole = concat(x, y, { axis: 0 });
    const table = pad(reshape(whole, [16, 3]), { low: [0, 0], high: [1, 0] });
    const rows = constant({ dtype: "int32", shape: [2], data: [3, 16] });
    const kernels = loops([gather(table, rows), slice(whole, { starts: [4, 0], ends: [8, 6] })], [x, y]);
    expect(kernels.map(({ name, extents }) => [name, ...extents])).toEqual([
      ["input", 24],
      ["input", 24],
      ["broadcastTo", 3],
      ["gather", 2, 3],
      ["slice", 24],
    ]);
    expect(new Set(kernels.slice(0, 3).map(({ to }) => to)).size).toBe(1);
  });

  test("writes over no padding whose beginning is read as a value of its own", () => {
    const whole = concat(x, y, { axis: 0 });
    const [row, at] = [input([1, 6], "float32", "row"), input([], "int32", "at")];
    const table = updateSlice(pad(whole, { low: [0, 0], high: [1, 0] }), row, at, { axis: 0 });
    const source = graph({ name: "test", inputs: [x, y, row, at], outputs: [exp(table), exp(whole)] });
    const given = [
      ...[24, 24, 6].map((length, i) =>
        hostTensor(
          "float32",
          [length / 6, 6],
          Float32Array.from({ length }, (_, k) => Math.sin(i + k)),
        ),
      ),
      hostTensor("int32", [], Int32Array.of(2)),
    ];
    const program = fuse(source, []);
    const machine = new Machine(program, planMemory(program), given);
    for (const kernel of program.kernels) machine.run(kernel);
    const expected = evaluate(source, given);
    for (const [i, { data }] of machine.outputs.entries())
      for (const [j, value] of data.entries()) expect(value).toBeCloseTo(expected[i]!.data[j]!, 5);
  });

  test("computes a part of a cache in its place, where it is asked to and needs no more loops there", () => {
    const [token, at] = [input([1, 6], "float32", "token"), input([], "int32", "at")];
    const cache = input([2, 5, 16], "float32", "cache");
    const named = (product: Tensor, weights: Tensor, computeParts: boolean) => {
      const row = transpose(reshape(product, [1, 2, 16]), [1, 0, 2]);
      const next = updateSlice(cache, row, at, { axis: 1 });
      const source = graph({ name: "test", inputs: [token, weights, cache, at], outputs: [next] });
      return fuse(source, [[2, 0]], { computeParts }).kernels.map(({ name }) => name.split(" ")[0]);
    };
    const [heads, columns] = [input([2, 6, 16], "float32", "heads"), input([6, 32], "float32", "columns")];
    const byHead = einsum(token, heads, "T D, H D F -> H T F");
    expect(named(byHead, heads, false)).toEqual(["einsum", "transpose"]);
    expect(named(byHead, heads, true)).toEqual(["einsum"]);
    // Columns would be cut into those of two heads.
    expect(named(einsum(token, columns, "T D, D F -> T F"), columns, true)).toEqual(["einsum", "transpose"]);
  });

  test("gives a product its bias and activation", () => {
    const [w, b] = [input([6, 3], "float32", "w"), input([3], "float32", "b")];
    const [kernel, ...others] = loops([relu(add(einsum(x, w, "B D, D F -> B F"), b))], [x, w, b]);
    expect(others).toEqual([]);
    expect(kernel!.reduction).toMatchObject({ op: "sum", extents: [6] });
    expect(kernel!.name).toBe("einsum B D, D F -> B F then max");
  });

  test("reads gathered rows in the product that wants them", () => {
    const [table, choice] = [input([10, 6], "float32", "table"), input([3, 5], "float32", "choice")];
    const kernels = kernelsOf([einsum(x, gather(table, argMax(choice)), "B D, R D -> B R")], [x, table, choice]);
    expect(kernels.map(({ name }) => name)).toEqual(["argMax", "einsum B D, R D -> B R"]);
    expect(readsOf(kernels[1]!).map(({ place }) => place.kind)).toEqual(["input", "temporary", "input"]);
  });

  test("copies an operand whose elements are picked one by one, or reads them where they lie", () => {
    const [table, w] = [input([40, 32], "float32", "table"), input([32, 16], "float32", "w")];
    const picked = constant({ dtype: "int32", shape: [64], data: Array.from({ length: 64 }, (_, i) => (7 * i) % 40) });
    const source = graph({
      name: "picked",
      inputs: [table, w],
      outputs: [einsum(gather(table, picked), w, "R D, D F -> R F")],
    });
    const given = [table, w].map(({ shape }) =>
      hostTensor(
        "float32",
        shape,
        Float32Array.from({ length: size(shape) }, (_, i) => Math.sin(i)),
      ),
    );
    const [expected] = evaluate(source, given);
    for (const [copyOperands, kernels] of [
      [true, 2],
      [false, 1],
    ] as const) {
      const program = fuse(source, [], { copyOperands });
      expect(program.kernels).toHaveLength(kernels);
      const machine = new Machine(program, planMemory(program), given);
      for (const kernel of program.kernels) machine.run(kernel);
      machine.outputs[0]!.data.forEach((value, i) => {
        expect(value).toBeCloseTo(expected!.data[i]!, 4);
      });
    }
  });

  test("ends what a product sums, and what it computes, where a mask says that its sequence ends: with one token's cache", () => {
    const attention = (tokens: number) => {
      const [q, position] = [input([1, 2, tokens, 4]), input([], "int32")];
      const [k, v] = [input([1, 2, 8, 4]), input([1, 2, 8, 4])];
      const source = graph({
        name: "attention",
        inputs: [q, k, v, position],
        outputs: [cachedAttention(q, k, v, position, { scale: 0.5 })],
      });
      const ends = fuse(source).kernels.flatMap((kernel) => {
        if (kernel.kind !== "loop" || !kernel.reduction) return [];
        const product = asProduct(kernel);
        return [
          ...(product && wantedColumns(kernel, product) ? [`columns of ${kernel.name}`] : []),
          ...(kernel.reduction.until ? [`sums of ${kernel.name}`] : []),
        ];
      });
      return { source, ends };
    };
    expect(attention(2).ends).toEqual([]);
    const { source, ends } = attention(1);
    expect(ends).toEqual([
      "columns of einsum B H T D, B H S D -> B H T S then sequenceMask",
      "sums of einsum B H T S, B H S D -> B H T D",
    ]);
    const values = source.inputs.slice(0, 3).map(({ shape }, i) => {
      const data = Float32Array.from({ length: size(shape) }, (_, k) => Math.sin(5 * i + k));
      return hostTensor("float32", shape, data);
    });
    for (const position of [-1, 0, 3, 7, 9]) {
      const given = [...values, hostTensor("int32", [], Int32Array.of(position))];
      const program = fuse(source);
      const machine = new Machine(program, planMemory(program), given);
      for (const kernel of program.kernels) machine.run(kernel);
      const [expected] = evaluate(source, given);
      for (const [j, value] of machine.outputs[0]!.data.entries()) expect(value).toBeCloseTo(expected!.data[j]!, 5);
    }
  });

  test("keeps what is expensive and read twice", () => {
    const e = exp(x);
    expect(names([add(e, 1), mul(e, 2)], [x])).toEqual(["exp", "add", "mul"]);
    // What costs next to nothing is computed again.
    const cheap = add(x, 1);
    expect(names([exp(cheap), mul(cheap, 2)], [x])).toEqual(["exp", "mul"]);
  });

  test("computes a layer norm in four kernels", () => {
    const [scale, bias] = [input([6], "float32", "scale"), input([6], "float32", "bias")];
    expect(names([layerNorm(x, scale, bias, { epsilon: 1e-5 })], [x, scale, bias])).toHaveLength(4);
  });

  test.each([
    ["a scale for every number of the sum", "B I, I O -> B O"],
    ["a scale for every result", "B I, O I -> B O"],
  ])("multiplies many rows with a copy of int8 weights, few as they lie: %s", (_, spec) => {
    const weights = input([64, 64], "int8", "weights");
    const scale = input([64, 1], "float32", "scale");
    const product = (rows: number) => {
      const x = input([rows, 64], "float32", "x");
      return loops([einsum(x, mul(cast(weights, "float32"), scale), spec)], [x, weights, scale]);
    };
    const [copy, multiply, ...others] = product(64);
    expect(others).toEqual([]);
    expect(copy!.reduction).toBeUndefined();
    const { x, y } = asProduct(multiply!)!;
    expect([x, y].every(({ value, load }) => value === load)).toBe(true);
    expect(product(4)).toHaveLength(1);
  });

  test("appends to a donated cache in place, and to any other in a copy", () => {
    const [cache, row, at] = [input([9, 6]), input([1, 6]), input([], "int32")];
    const next = updateSlice(cache, row, at, { axis: 0 });
    const [inPlace, ...none] = kernelsOf([next], [cache, row, at], [[0, 0]]);
    expect(none).toEqual([]);
    expect(inPlace!.to.place).toEqual({ kind: "input", index: 0 });
    expect(kernelsOf([next], [cache, row, at]).map(({ to }) => to.place.kind)).toEqual(["output", "output"]);
    // Who still reads the old cache must find it.
    expect(
      kernelsOf([next, reduceSum(cache, { axes: [0, 1] })], [cache, row, at], [[0, 0]])[0]!.to.place.kind,
    ).not.toBe("input");
  });
});
