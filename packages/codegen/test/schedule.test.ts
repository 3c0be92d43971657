import {
  add,
  argMax,
  concat,
  einsum,
  evaluate,
  exp,
  gather,
  graph,
  type HostTensor,
  hostTensor,
  input,
  layerNorm,
  mul,
  pad,
  reduceMax,
  reduceSum,
  relu,
  reshape,
  scatterAdd,
  slice,
  softmax,
  type Tensor,
  topK,
  transpose,
  updateSlice,
} from "@finegrain/graph";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  bytesOf,
  type Dispatch,
  fuse,
  isInArena,
  type Kernel,
  type MemoryPlan,
  planMemory,
  readsOf,
  type ScheduleOptions,
  schedule,
} from "../src/index.ts";
import { Machine, runDispatches } from "./machine.ts";

/** A table of small graphs' steps: each makes a float32 [8, 8] of two such. */
const steps: readonly ((a: Tensor, b: Tensor, at: Tensor) => Tensor)[] = [
  (a, b) => add(exp(mul(a, 0.1)), relu(b)),
  (a, b) => mul(einsum(a, b, "I J, J K -> I K"), 0.1),
  (a) => softmax(a),
  (a, b) =>
    layerNorm(a, reshape(slice(b, { starts: [0, 0], ends: [1, 8] }), [8]), reduceMax(a, { axes: [0] }), {
      epsilon: 1e-3,
    }),
  (a, b) => transpose(add(exp(mul(a, 0.1)), b), [1, 0]),
  (a, b) => slice(concat(a, b, { axis: 0 }), { starts: [4, 0], ends: [12, 8] }),
  (a, b) => slice(concat(b, softmax(a), { axis: 1 }), { starts: [0, 4], ends: [8, 12] }),
  (a, b) => add(a, reduceSum(b, { axes: [1], keepDims: true })),
  (a) => slice(pad(a, { low: [1, 0], high: [0, 1] }), { starts: [0, 1], ends: [8, 9] }),
  (a, b) => {
    const whole = concat(einsum(a, b, "I J, J K -> I K"), b, { axis: 0 });
    const table = pad(mul(whole, 0.1), { low: [0, 0], high: [2, 0] });
    return add(slice(table, { starts: [10, 0], ends: [18, 8] }), slice(whole, { starts: [4, 0], ends: [12, 8] }));
  },
  (a, b) => {
    const whole = concat(exp(mul(a, 0.1)), reshape(einsum(a, b, "I J, J K -> I K"), [8, 8]), { axis: 0 });
    const table = pad(reshape(whole, [32, 4]), { low: [0, 0], high: [4, 0] });
    const rows = reshape(slice(table, { starts: [20, 0], ends: [36, 4] }), [8, 8]);
    return mul(add(rows, slice(whole, { starts: [5, 0], ends: [13, 8] })), 0.1);
  },
  (a, b) => gather(a, argMax(b)),
  (a, b) => add(b, scatterAdd(argMax(a), a, { rows: 8 })),
  (a, b, at) => updateSlice(exp(mul(a, 0.1)), slice(b, { starts: [0, 0], ends: [1, 8] }), at, { axis: 0 }),
  (a, b) => gather(b, reshape(slice(topK(a, { k: 2 }), { starts: [0, 1], ends: [8, 2] }), [8])),
  (a, b) => reshape(softmax(reshape(add(a, b), [4, 2, 8])), [8, 8]),
];

const kernelsOf = (dispatches: readonly Dispatch[]): Kernel[][] =>
  dispatches.map(({ branches }) => branches.flatMap(({ kernels }) => kernels));

/** Bindings of a dispatch: parts of what is given, and slabs of the temporaries. */
function bindingsOf({ branches }: Dispatch, plan: MemoryPlan, bindingBytes: number): number {
  const kernels = branches.flatMap((branch) => branch.kernels);
  const buffers = new Set(kernels.flatMap((kernel) => [kernel.to, ...readsOf(kernel)]));
  const bound = [...buffers].flatMap((buffer, k) => {
    const temporary = isInArena(buffer);
    const first = temporary ? Math.floor(plan.offsets.get(buffer)! / bindingBytes) : 0;
    return Array.from({ length: Math.ceil(bytesOf(buffer) / bindingBytes) }, (_, i) =>
      temporary ? `slab ${first + i}` : `buffer ${k}, ${i}`,
    );
  });
  return new Set(bound).size;
}

const numbers = (seed: number, count: number) =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(1 + seed + 1.7 * i) * 2);

/** A graph of drawn steps over two values and two caches, which are donated. */
function drawn(choices: readonly number[]) {
  const [x, y, at] = [input([8, 8], "float32", "x"), input([8, 8], "float32", "y"), input([], "int32", "at")];
  const caches = [input([8, 6, 8], "float32", "c"), input([8, 6, 8], "float32", "d")];
  const values: Tensor[] = [x, y];
  const next = caches.map((cache) => cache);
  for (const choice of choices) {
    const pick = (shift: number) => values[Math.max(0, values.length - 1 - ((choice >> shift) % 5))]!;
    const [a, b] = [pick(4), pick(7)];
    const which = (choice >> 10) % 6;
    if (which < 2 && next[which] === caches[which]) {
      next[which] = updateSlice(caches[which]!, reshape(a, [8, 1, 8]), at, { axis: 1 });
      values.push(einsum(softmax(reduceSum(mul(next[which], 0.1), { axes: [2] })), next[which], "B S, B S D -> B D"));
    } else values.push(steps[choice % steps.length]!(a, b, at));
  }
  const source = graph({ name: "drawn", inputs: [x, y, ...caches, at], outputs: [...next, ...values.slice(-2)] });
  const given: HostTensor[] = [
    ...[x, y, ...caches].map(({ shape }, i) =>
      hostTensor(
        "float32",
        shape,
        numbers(
          i,
          shape.reduce((p, q) => p * q, 1),
        ),
      ),
    ),
    hostTensor("int32", [], Int32Array.of(3)),
  ];
  const donate: [number, number][] = [
    [2, 0],
    [3, 1],
  ];
  return { source, donate, given };
}

describe("a schedule", () => {
  test("means what its graph does, in whatever order branches and rows run", () =>
    fc.assert(
      fc.property(
        fc.array(fc.nat(), { minLength: 1, maxLength: 14 }),
        fc.integer({ min: 3, max: 10 }),
        fc.record({ lanes: fc.constantFrom(1, 8, 64), rows: fc.constantFrom(1, 3, 4, 1000) }),
        fc.record({ copyOperands: fc.boolean(), computeParts: fc.boolean() }),
        fc.constantFrom(64, 192, 256, 1024, 2 ** 20),
        fc.integer({ min: 0 }),
        (choices, maxBuffers, chains, fusing, bindingBytes, seed) => {
          const { source, donate, given } = drawn(choices);
          const program = fuse(source, donate, fusing);
          const slabs = Math.ceil(
            planMemory(
              program,
              program.kernels.map((kernel) => [kernel]),
              bindingBytes,
            ).bytes / bindingBytes,
          );
          const dispatches = schedule(program, { maxBuffers, bindingBytes, slabs, maxBranches: 4, ...chains });
          const plan = planMemory(program, kernelsOf(dispatches), bindingBytes);
          expect(new Set(kernelsOf(dispatches).flat()).size).toBe(program.kernels.length);
          for (const dispatch of dispatches) {
            const { branches } = dispatch;
            expect(branches.length).toBeLessThanOrEqual(4);
            if (plan.bytes <= slabs * bindingBytes && (branches.length > 1 || branches[0]!.kernels.length > 1))
              expect(bindingsOf(dispatch, plan, bindingBytes)).toBeLessThanOrEqual(maxBuffers);
          }
          const machine = new Machine(program, plan, given);
          let state = seed;
          runDispatches(machine, dispatches, (below) => {
            state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
            return (state >>> 8) % below;
          });
          const expected = evaluate(source, given);
          for (const [i, { data }] of machine.outputs.entries())
            for (const [j, value] of data.entries()) expect(value).toBeCloseTo(expected[i]!.data[j]!, 3);
        },
      ),
      { numRuns: 200, seed: 5 },
    ));

  const branchesOf = (
    outputs: Tensor[],
    inputs: Tensor[],
    donate: [number, number][] = [],
    options: Partial<ScheduleOptions> = {},
  ) =>
    schedule(fuse(graph({ name: "test", inputs, outputs }), donate), { maxBuffers: 16, ...options }).map(
      ({ branches }) => branches.map(({ rows, kernels }) => [rows, kernels.length]),
    );
  const [x, w] = [input([32, 256], "float32", "x"), input([256], "float32", "w")];

  test("makes a layer norm one chain, a workgroup for every row", () => {
    expect(branchesOf([layerNorm(x, w, w, { epsilon: 1e-5 })], [x, w])).toEqual([[[32, 4]]]);
  });

  test("gives a workgroup several rows where fewer workgroups keep the device busy", () => {
    const norm = layerNorm(x, w, w, { epsilon: 1e-5 });
    expect(branchesOf([norm], [x, w], [], { rows: 4 })).toEqual([[[8, 4]]]);
    expect(branchesOf([norm], [x, w], [], { rows: 100 })).toEqual([[[32, 4]]]);
  });

  test("lets the rows that keep a device busy do as much as there is", () => {
    const [token, table] = [input([1, 96]), input([96, 6144])];
    const scores = reshape(einsum(token, table, "T R, R F -> T F"), [96, 64]);
    expect(branchesOf([argMax(scores)], [token, table], [], { rows: 4 })).toEqual([[[6, 2]]]);
    expect(branchesOf([argMax(scores)], [token, table])).toEqual([[[96, 2]]]);
  });

  test("makes the attention of a token one chain, a workgroup for every head, its cache writes with it", () => {
    const [q, k, v] = [input([8, 1, 64]), input([8, 1, 64]), input([8, 1, 64])];
    const [keys, values, at] = [input([8, 128, 64]), input([8, 128, 64]), input([], "int32")];
    const [nextKeys, nextValues] = [updateSlice(keys, k, at, { axis: 1 }), updateSlice(values, v, at, { axis: 1 })];
    const scores = softmax(einsum(mul(q, 0.125), nextKeys, "H T D, H S D -> H T S"));
    const y = einsum(scores, nextValues, "H T S, H S D -> H T D");
    const inputs = [q, k, v, keys, values, at];
    const counts = branchesOf([nextKeys, nextValues, y], inputs, [
      [3, 0],
      [4, 1],
    ]);
    expect(counts).toEqual([[[8, 9]]]);
  });

  test("gives a product of a large matrix the whole device, and runs those side by side that do not wait for each other", () => {
    const [token, ...large] = [input([1, 1024]), input([1024, 1024]), input([1024, 1024]), input([1024, 1024])];
    const products = large.map((matrix) => einsum(token!, matrix, "T I, I O -> T O"));
    const last = einsum(add(products[0]!, exp(products[1]!)), large[0]!, "T I, I O -> T O");
    expect(branchesOf([...products, last], [token!, ...large])).toEqual([
      [
        [0, 1],
        [0, 1],
        [0, 1],
      ],
      [[0, 1]],
      [[0, 1]],
    ]);
  });

  test("runs a sequence of small kernels in one workgroup", () => {
    const column = transpose(exp(reshape(w, [16, 16])), [1, 0]);
    const other = softmax(add(column, reduceSum(column, { axes: [0], keepDims: true })));
    expect(branchesOf([reduceSum(other, { axes: [0, 1] })], [w])).toMatchObject([[[1, expect.any(Number)]]]);
  });

  test("cuts nothing into rows where one is overwritten whose number is known too late", () => {
    const [cache, row, at] = [input([64, 64]), input([1, 64]), input([], "int32")];
    const next = updateSlice(exp(cache), row, at, { axis: 0 });
    expect(branchesOf([next, softmax(next)], [cache, row, at])).toEqual([[[1, expect.any(Number)]]]);
  });
});
